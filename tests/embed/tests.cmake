# The encoder against golden data made by the reference implementation.
add_executable(test_golden ${CMAKE_CURRENT_LIST_DIR}/test_golden.c)
target_link_libraries(test_golden PRIVATE sluice_flags sluice_test sluice)
target_include_directories(test_golden PRIVATE ${CMAKE_SOURCE_DIR}/pipeline)
target_compile_definitions(test_golden PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_test(NAME embed/golden COMMAND test_golden)
set_tests_properties(embed/golden PROPERTIES LABELS quick SKIP_RETURN_CODE 77 TIMEOUT 300)

# Ranking and reading heads, on small random networks that stand beside their golden data.
add_executable(test_heads ${CMAKE_CURRENT_LIST_DIR}/test_heads.c)
target_link_libraries(test_heads PRIVATE sluice_flags sluice_test sluice)
target_compile_definitions(test_heads PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_test(NAME embed/heads COMMAND test_heads)
set_tests_properties(embed/heads PROPERTIES LABELS quick TIMEOUT 60)

add_test(NAME embed/fetch_model COMMAND ${CMAKE_CURRENT_LIST_DIR}/test_fetch_model.sh)
set_tests_properties(embed/fetch_model PROPERTIES LABELS quick SKIP_RETURN_CODE 77 TIMEOUT 60)

if(SLUICE_LONG)
  add_test(NAME embed/make_golden COMMAND ${CMAKE_CURRENT_LIST_DIR}/run.sh)
  set_tests_properties(embed/make_golden PROPERTIES LABELS long SKIP_RETURN_CODE 77 TIMEOUT 3600)
endif()

# Small models of every kind with weights made in the test, against what the reference said about them.
add_executable(print_ids ${CMAKE_CURRENT_LIST_DIR}/print_ids.c)
target_link_libraries(print_ids PRIVATE sluice_flags sluice)
target_include_directories(print_ids PRIVATE ${CMAKE_SOURCE_DIR}/pipeline)
add_executable(test_models ${CMAKE_CURRENT_LIST_DIR}/test_models.c)
target_link_libraries(test_models PRIVATE sluice_flags sluice_test sluice)
target_include_directories(test_models PRIVATE ${CMAKE_SOURCE_DIR}/pipeline)
target_compile_definitions(test_models PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_test(NAME embed/models COMMAND test_models)
set_tests_properties(embed/models PROPERTIES LABELS quick TIMEOUT 120)

if(SLUICE_LONG)
  add_test(NAME embed/make_models COMMAND ${CMAKE_CURRENT_LIST_DIR}/run_models.sh $<TARGET_FILE:print_ids>)
  set_tests_properties(embed/make_models PROPERTIES LABELS long SKIP_RETURN_CODE 77 TIMEOUT 3600)
endif()

if(SLUICE_LONG)
  add_executable(server_cosine ${CMAKE_CURRENT_LIST_DIR}/server_cosine.c)
  target_link_libraries(server_cosine PRIVATE sluice_flags sluice_net)
  target_compile_definitions(server_cosine PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  add_test(NAME embed/server COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/test_server.py)
  set_tests_properties(embed/server PROPERTIES LABELS long SKIP_RETURN_CODE 77 TIMEOUT 3600
    ENVIRONMENT "SLUICE_BUILD=${CMAKE_BINARY_DIR};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/support")
endif()
