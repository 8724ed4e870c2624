# Without the promotion of copies the histories must fail.
add_executable(test_copies_lost ${CMAKE_SOURCE_DIR}/tests/unit/test_copies.c ${CMAKE_CURRENT_LIST_DIR}/no_promotion.c)
target_link_libraries(test_copies_lost PRIVATE sluice_flags sluice_test sluice)
target_include_directories(test_copies_lost PRIVATE ${CMAKE_SOURCE_DIR}/pipeline)
target_link_options(test_copies_lost PRIVATE -Wl,--wrap=sl_copy_promote)
add_test(NAME copies/lost_is_noticed COMMAND test_copies_lost)
set_tests_properties(copies/lost_is_noticed PROPERTIES LABELS "quick;prove" WILL_FAIL TRUE TIMEOUT 120)
