# The kernels of vector codes on processors this machine does not have, under emulators. Skips visibly without them.
add_test(NAME kernels/other_processors COMMAND ${CMAKE_CURRENT_LIST_DIR}/test_other_processors.sh)
set_tests_properties(kernels/other_processors PROPERTIES LABELS full SKIP_RETURN_CODE 77 TIMEOUT 300)
