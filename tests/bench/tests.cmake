# The benchmarks run, replay what they say they replay, and draw well-formed pictures. No speed is asserted.
add_test(NAME bench/tools COMMAND ${CMAKE_COMMAND} -E env SLUICE_BUILD=${CMAKE_BINARY_DIR}
  python3 -B ${CMAKE_CURRENT_LIST_DIR}/test_bench.py)
set_tests_properties(bench/tools PROPERTIES LABELS full SKIP_RETURN_CODE 77 TIMEOUT 300)
