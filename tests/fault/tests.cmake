# Trouble on disk: what is damaged, refused, cut short or out of order.
add_executable(test_flips ${CMAKE_CURRENT_LIST_DIR}/test_flips.c)
target_link_libraries(test_flips PRIVATE sluice_flags sluice_test sluice)
add_test(NAME fault/flips COMMAND test_flips)
set_tests_properties(fault/flips PROPERTIES LABELS "full;prove" TIMEOUT 900)

add_executable(test_flips_blind ${CMAKE_CURRENT_LIST_DIR}/test_flips.c ${CMAKE_CURRENT_LIST_DIR}/blind.c)
target_link_libraries(test_flips_blind PRIVATE sluice_flags sluice_test sluice)
target_compile_definitions(test_flips_blind PRIVATE BLIND)
target_link_options(test_flips_blind PRIVATE -Wl,--wrap=sl_crc32c,--wrap=sl_pages_check)
add_test(NAME fault/flips_control COMMAND test_flips_blind)
set_tests_properties(fault/flips_control PROPERTIES LABELS "full;prove" TIMEOUT 900)

if(SLUICE_LONG)
  foreach(name flips flips_blind)
    add_test(NAME fault/${name}_long COMMAND test_${name})
    set_tests_properties(fault/${name}_long PROPERTIES LABELS "long;prove" TIMEOUT 3600 ENVIRONMENT SLUICE_TEST_LONG=1)
  endforeach()
endif()
