# The library on its own, as a program elsewhere uses it.
if(SLUICE_SANITIZE)
  set(LIBRARY_FLAGS "-fsanitize=address,undefined")
endif()
add_test(NAME library/example COMMAND ${CMAKE_CURRENT_LIST_DIR}/test_example.sh ${CMAKE_BINARY_DIR} ${LIBRARY_FLAGS})
set_tests_properties(library/example PROPERTIES LABELS quick TIMEOUT 120)
