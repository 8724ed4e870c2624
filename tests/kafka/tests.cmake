# Tests that need a broker. "kafka": the mock cluster; "broker": Apache Kafka from build/kafka/libs.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_executable(tool_kafka ${CMAKE_CURRENT_SOURCE_DIR}/support/tool_kafka.c)
target_link_libraries(tool_kafka PRIVATE sluice_flags PkgConfig::RDKAFKA PkgConfig::CJSON PkgConfig::CRYPTO)
set_target_properties(tool_kafka PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

function(sluice_kafka_test name label timeout)
  add_test(NAME ${label}/${name}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/kafka/test_${name}.py)
  set_tests_properties(${label}/${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT ${timeout}
    ENVIRONMENT "SLUICE_BUILD=${CMAKE_BINARY_DIR};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/support")
endfunction()

sluice_kafka_test(transport kafka 300)
sluice_kafka_test(bad_documents kafka 300)
sluice_kafka_test(questions kafka 300)
sluice_kafka_test(service kafka 300)
sluice_kafka_test(metrics kafka 300)
sluice_kafka_test(llm kafka 300)
sluice_kafka_test(crash kafka 600)
sluice_kafka_test(demo kafka 600)
sluice_kafka_test(real_broker broker 900)
sluice_kafka_test(real_speeches broker 1200)
set_tests_properties(broker/real_broker broker/real_speeches PROPERTIES RESOURCE_LOCK kafka_broker)
