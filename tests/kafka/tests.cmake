# Tests that need a broker. "kafka": the mock cluster; "broker": Apache Kafka from build/kafka/libs.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_executable(tool_kafka ${CMAKE_CURRENT_SOURCE_DIR}/support/tool_kafka.c)
target_link_libraries(tool_kafka PRIVATE sluice_flags PkgConfig::RDKAFKA PkgConfig::CJSON PkgConfig::CRYPTO)
set_target_properties(tool_kafka PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# The daemon with its applications written down, as it is and with one mechanism taken out: for the test that each
# record is applied exactly once, and for its controls. Object by object what is shipped.
foreach(tool load applies)
  add_executable(tool_${tool} ${CMAKE_CURRENT_SOURCE_DIR}/support/tool_${tool}.c)
  target_link_libraries(tool_${tool} PRIVATE sluice_flags sluice PkgConfig::RDKAFKA)
  target_include_directories(tool_${tool} PRIVATE ${CMAKE_SOURCE_DIR}/pipeline)
  set_target_properties(tool_${tool} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endforeach()

function(sluice_counted_daemon name define)
  add_executable(${name} ${CMAKE_SOURCE_DIR}/daemon/main.c ${CMAKE_CURRENT_SOURCE_DIR}/kafka/applies_counted.c)
  target_link_libraries(${name} PRIVATE sluice_flags sluice_daemon)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/pipeline)
  target_compile_definitions(${name} PRIVATE SLUICE_LMDB_VERSION="${LMDB_VERSION}" ${define})
  foreach(wrapped sl_index_prepare sl_batch_apply sl_batch_delete ${ARGN})
    target_link_options(${name} PRIVATE -Wl,--wrap=${wrapped})
  endforeach()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

sluice_counted_daemon(sluiced_counted "")
sluice_counted_daemon(sluiced_positions_before SLUICE_TEST_POSITIONS_BEFORE sl_ledger_position)
sluice_counted_daemon(sluiced_positions_after SLUICE_TEST_POSITIONS_AFTER sl_batch_position sl_batch_commit)
sluice_counted_daemon(sluiced_not_carried SLUICE_TEST_NOT_CARRIED sl_ledger_make)
sluice_counted_daemon(sluiced_no_sweep SLUICE_TEST_NO_SWEEP sl_batch_sweep)
sluice_counted_daemon(sluiced_small_steps SLUICE_TEST_SMALL_STEPS sl_batch_doubt sl_batch_sweep)

# The daemon with functions replaced by those of kafka/<source>.c, for tests and controls:
# sluice_daemon_with(name source... WRAP function...)
function(sluice_daemon_with name)
  cmake_parse_arguments(with "" "" "WRAP" ${ARGN})
  list(TRANSFORM with_UNPARSED_ARGUMENTS REPLACE "(.+)" "${CMAKE_CURRENT_SOURCE_DIR}/kafka/\\1.c")
  add_executable(sluiced_${name} ${CMAKE_SOURCE_DIR}/daemon/main.c ${with_UNPARSED_ARGUMENTS})
  target_link_libraries(sluiced_${name} PRIVATE sluice_flags sluice_daemon sluice_test)
  target_compile_definitions(sluiced_${name} PRIVATE SLUICE_LMDB_VERSION="${LMDB_VERSION}")
  foreach(wrapped ${with_WRAP})
    target_link_options(sluiced_${name} PRIVATE -Wl,--wrap=${wrapped})
  endforeach()
  set_target_properties(sluiced_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

sluice_daemon_with(no_replies no_replies WRAP reply_cache_get)
sluice_daemon_with(gated gated WRAP sl_config_embedder)
sluice_daemon_with(no_turns gated no_shares no_turns WRAP sl_config_embedder sl_queue_push_line sl_budget_share_is_high)
sluice_daemon_with(no_budget gated no_shares no_budget
  WRAP sl_config_embedder sl_budget_is_high sl_budget_share_is_high sl_budget_admits)

sluice_daemon_with(no_breaker no_breaker WRAP sl_breaker_tell sl_retry_budget_take)

add_library(resolve_shim MODULE ${CMAKE_CURRENT_SOURCE_DIR}/kafka/resolve_shim.c)
target_link_libraries(resolve_shim PRIVATE ${CMAKE_DL_LIBS})
target_compile_definitions(resolve_shim PRIVATE _GNU_SOURCE)
set_target_properties(resolve_shim PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

add_library(commit_shim MODULE ${CMAKE_CURRENT_SOURCE_DIR}/kafka/commit_shim.c)
target_link_libraries(commit_shim PRIVATE ${CMAKE_DL_LIBS})
target_compile_definitions(commit_shim PRIVATE _GNU_SOURCE)
set_target_properties(commit_shim PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

function(sluice_kafka_test name label timeout)
  add_test(NAME ${label}/${name}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/kafka/test_${name}.py)
  set_tests_properties(${label}/${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT ${timeout}
    ENVIRONMENT "SLUICE_BUILD=${CMAKE_BINARY_DIR};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/support")
endfunction()

sluice_kafka_test(transport kafka 300)
sluice_kafka_test(bad_documents kafka 300)
sluice_kafka_test(hostile kafka 300)
sluice_kafka_test(questions kafka 300)
sluice_kafka_test(service kafka 300)
sluice_kafka_test(metrics kafka 300)
sluice_kafka_test(compaction kafka 300)
sluice_kafka_test(goldens kafka 300)
sluice_kafka_test(reindex kafka 300)
sluice_kafka_test(llm kafka 300)
sluice_kafka_test(embedding kafka 600)
set_tests_properties(kafka/embedding PROPERTIES LABELS "kafka;prove")
sluice_kafka_test(rerank kafka 300)
set_tests_properties(kafka/rerank PROPERTIES LABELS "kafka;prove")
sluice_kafka_test(crash kafka 600)
sluice_kafka_test(demo kafka 600)
sluice_kafka_test(real_broker broker 900)
sluice_kafka_test(real_speeches broker 1200)
sluice_kafka_test(exactly_once_apply broker 900)
sluice_kafka_test(gaps broker 900)
sluice_kafka_test(answers broker 600)
set_tests_properties(broker/answers PROPERTIES RESOURCE_LOCK kafka_broker LABELS "broker;prove")
sluice_kafka_test(bounded broker 600)
set_tests_properties(broker/bounded PROPERTIES RESOURCE_LOCK kafka_broker LABELS "broker;prove")
# The same script again, in its long form.
function(sluice_long_test name timeout)
  add_test(NAME long/${name} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/kafka/test_${name}.py)
  set_tests_properties(long/${name} PROPERTIES LABELS "long;prove" SKIP_RETURN_CODE 77 TIMEOUT ${timeout}
    RESOURCE_LOCK kafka_broker ENVIRONMENT
    "SLUICE_BUILD=${CMAKE_BINARY_DIR};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/support;SLUICE_TEST_LONG=1")
endfunction()
if(SLUICE_LONG)
  add_library(kafka_shim MODULE ${CMAKE_CURRENT_SOURCE_DIR}/kafka/kafka_shim.c)
  target_link_libraries(kafka_shim PRIVATE PkgConfig::RDKAFKA ${CMAKE_DL_LIBS})
  target_compile_definitions(kafka_shim PRIVATE _GNU_SOURCE)
  set_target_properties(kafka_shim PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  sluice_long_test(failing_calls 1800)
  sluice_long_test(answers 3600)
  sluice_long_test(bounded 7200)
  add_test(NAME long/exactly_once_apply COMMAND ${Python3_EXECUTABLE} -B
    ${CMAKE_CURRENT_SOURCE_DIR}/kafka/test_exactly_once_apply.py ExactlyOnceApply.test_killed_at_random)
  set_tests_properties(long/exactly_once_apply PROPERTIES LABELS "long;prove" SKIP_RETURN_CODE 77 TIMEOUT 3600
    RESOURCE_LOCK kafka_broker ENVIRONMENT "SLUICE_BUILD=${CMAKE_BINARY_DIR};\
PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/support;SLUICE_TEST_KILLS=200;SLUICE_TEST_RECORDS=100000")
endif()
set_tests_properties(broker/real_broker broker/real_speeches PROPERTIES RESOURCE_LOCK kafka_broker)
set_tests_properties(broker/exactly_once_apply broker/gaps PROPERTIES RESOURCE_LOCK kafka_broker LABELS "broker;prove")
