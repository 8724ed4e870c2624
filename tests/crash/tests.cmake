# kill -9 in the middle of commits: what is found afterwards is the old state or the new one.
add_executable(test_crash ${CMAKE_CURRENT_LIST_DIR}/test_crash.c)
target_link_libraries(test_crash PRIVATE sluice_flags sluice_test sluice)
target_compile_definitions(test_crash PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
add_test(NAME crash/index COMMAND test_crash)
set_tests_properties(crash/index PROPERTIES LABELS full SKIP_RETURN_CODE 77 TIMEOUT 600)
add_test(NAME crash/index_i8 COMMAND test_crash)
set_tests_properties(crash/index_i8 PROPERTIES LABELS full SKIP_RETURN_CODE 77 TIMEOUT 600
  ENVIRONMENT SLUICE_TEST_STORAGE=i8)

# The same at every single call that changes a file.
add_executable(test_points ${CMAKE_CURRENT_LIST_DIR}/test_points.c ${CMAKE_CURRENT_LIST_DIR}/points.c)
target_link_libraries(test_points PRIVATE sluice_flags sluice_test sluice)
target_include_directories(test_points PRIVATE ${CMAKE_SOURCE_DIR}/pipeline)
add_test(NAME crash/points COMMAND test_points)
set_tests_properties(crash/points PROPERTIES LABELS "full;prove" TIMEOUT 600)
