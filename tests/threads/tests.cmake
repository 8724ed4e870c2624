# ThreadSanitizer (preset tsan): the daemon's queues, lanes, ledgers and machines by their unit tests, and the daemon as a
# process under load, reloads, outages and stops. tests/threads/race.c is the control: it must be found.
if(SLUICE_TSAN)
  add_library(preload_c11 SHARED ${CMAKE_CURRENT_SOURCE_DIR}/threads/preload_c11.c)
  set_target_properties(preload_c11 PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_executable(race ${CMAKE_CURRENT_SOURCE_DIR}/threads/race.c)
  target_link_libraries(race PRIVATE sluice_flags)
  target_compile_options(preload_c11 PRIVATE -Wall -Wextra)
  set(TSAN_OPTIONS "suppressions=${CMAKE_CURRENT_SOURCE_DIR}/threads/tsan.supp exitcode=66 history_size=5")

  foreach(name IN ITEMS queue lanes ledger book metrics log notify http control embedder outbox)
    if(TARGET test_daemon_${name})
      set_tests_properties(unit/daemon_${name} PROPERTIES LABELS "quick;tsan"
        ENVIRONMENT "TSAN_OPTIONS=${TSAN_OPTIONS};LD_PRELOAD=$<TARGET_FILE:preload_c11>")
    endif()
  endforeach()

  add_test(NAME threads/control COMMAND race)
  set_tests_properties(threads/control PROPERTIES LABELS tsan WILL_FAIL TRUE
    ENVIRONMENT "TSAN_OPTIONS=exitcode=66;LD_PRELOAD=$<TARGET_FILE:preload_c11>")
  add_test(NAME threads/daemon COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/kafka/test_service.py
    Service.test_reloads_under_load_lose_no_question Service.test_term_drains
    Service.test_broker_goes_away_for_a_while Service.test_stop_without_broker)
  add_test(NAME threads/hostile COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/kafka/test_hostile.py)
  set_tests_properties(threads/daemon threads/hostile PROPERTIES LABELS tsan TIMEOUT 900 ENVIRONMENT
    "SLUICE_BUILD=${CMAKE_BINARY_DIR};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/support;TSAN_OPTIONS=${TSAN_OPTIONS};LD_PRELOAD=$<TARGET_FILE:preload_c11>")
endif()
