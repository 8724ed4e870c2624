# Trouble with brokers, on Apache Kafka: a cluster of three, and one that asks who you are. The plain forms run with
# every full test; the long ones, with longer outages, under SLUICE_LONG.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

function(sluice_broker_test name labels timeout environment)
  add_test(NAME broker/${name}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/broker/test_${name}.py)
  set_tests_properties(broker/${name} PROPERTIES LABELS "${labels}" SKIP_RETURN_CODE 77 TIMEOUT ${timeout}
    RESOURCE_LOCK kafka_broker
    ENVIRONMENT "SLUICE_BUILD=${CMAKE_BINARY_DIR};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/support${environment}")
endfunction()

if(SLUICE_LONG)
  sluice_broker_test(cluster "broker;long;prove" 3600 ";SLUICE_TEST_LONG=1")
  sluice_broker_test(security "broker;long;prove" 900 ";SLUICE_TEST_LONG=1")
else()
  sluice_broker_test(cluster "broker;prove" 600 "")
  sluice_broker_test(security "broker;prove" 600 "")
endif()
sluice_broker_test(corrupt "broker;prove" 300 "")
