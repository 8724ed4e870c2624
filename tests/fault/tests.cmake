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

# An index at work, the faults put between it and the disk, and those who look at what became of it.
add_library(disk_shim MODULE ${CMAKE_CURRENT_LIST_DIR}/disk_shim.c)
target_link_libraries(disk_shim PRIVATE ${CMAKE_DL_LIBS})
target_compile_definitions(disk_shim PRIVATE _GNU_SOURCE)
set_target_properties(disk_shim PROPERTIES PREFIX "")
add_executable(tool_disk_work ${CMAKE_CURRENT_LIST_DIR}/tool_disk_work.c)
target_link_libraries(tool_disk_work PRIVATE sluice_flags sluice_test sluice)
foreach(name io power)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE sluice_flags sluice_test sluice)
  target_compile_definitions(test_${name} PRIVATE DISK_SHIM="$<TARGET_FILE:disk_shim>"
    TOOL_DISK_WORK="$<TARGET_FILE:tool_disk_work>")
  add_dependencies(test_${name} disk_shim tool_disk_work)
  if(NOT SLUICE_SANITIZE) # its runtime must be the first library
    add_test(NAME fault/${name} COMMAND test_${name})
    set_tests_properties(fault/${name} PROPERTIES LABELS "full;prove" TIMEOUT 900)
  endif()
endforeach()

add_executable(test_calls ${CMAKE_CURRENT_LIST_DIR}/test_calls.c ${CMAKE_CURRENT_LIST_DIR}/failing_calls.c)
target_link_libraries(test_calls PRIVATE sluice_flags sluice_test sluice PkgConfig::LMDB)
foreach(wrapped malloc calloc realloc aligned_alloc strdup strndup free mdb_env_create mdb_env_set_userctx
    mdb_env_set_maxdbs mdb_env_set_maxreaders mdb_env_set_mapsize mdb_env_open mdb_env_stat mdb_env_info
    mdb_env_get_fd mdb_reader_check mdb_txn_begin mdb_txn_commit mdb_dbi_open mdb_stat mdb_get mdb_put mdb_del
    mdb_cursor_open mdb_cursor_get)
  target_link_options(test_calls PRIVATE -Wl,--wrap=${wrapped})
endforeach()
add_test(NAME fault/calls COMMAND test_calls)
set_tests_properties(fault/calls PROPERTIES LABELS "full;prove" TIMEOUT 900)

add_test(NAME fault/disk COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/test_disk.py)
set_tests_properties(fault/disk PROPERTIES LABELS "kafka;prove" SKIP_RETURN_CODE 77 TIMEOUT 600
  ENVIRONMENT "SLUICE_BUILD=${CMAKE_BINARY_DIR};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/support")

if(SLUICE_LONG)
  foreach(name flips flips_blind io power calls)
    add_test(NAME fault/${name}_long COMMAND test_${name})
    set_tests_properties(fault/${name}_long PROPERTIES LABELS "long;prove" TIMEOUT 3600 ENVIRONMENT SLUICE_TEST_LONG=1)
  endforeach()
endif()
