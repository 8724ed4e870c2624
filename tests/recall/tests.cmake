# What the index costs and finds: recall on real vectors, filters, work and bytes as it grows.
foreach(name recall cost)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE sluice_flags sluice_test sluice)
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/pipeline)
  target_compile_definitions(test_${name} PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME recall/${name} COMMAND test_${name})
  set_tests_properties(recall/${name} PROPERTIES LABELS full SKIP_RETURN_CODE 77 TIMEOUT 900 PROCESSORS 2)
endforeach()
add_test(NAME recall/recall_i8 COMMAND test_recall)
set_tests_properties(recall/recall_i8 PROPERTIES LABELS full SKIP_RETURN_CODE 77 TIMEOUT 900 PROCESSORS 2
  ENVIRONMENT SLUICE_TEST_STORAGE=i8)
