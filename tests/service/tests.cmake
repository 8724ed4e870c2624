# The daemon as a service: what is installed, the unit as systemd reads it (quick); what the manager is told, and the
# unit under a real systemd in a container ("service": half a minute; the container needs root and systemd-nspawn,
# and skips visibly without).
find_package(Python3 REQUIRED COMPONENTS Interpreter)

function(sluice_service_test name labels timeout)
  add_test(NAME service/${name}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/service/test_${name}.py)
  set_tests_properties(service/${name} PROPERTIES LABELS "${labels}" SKIP_RETURN_CODE 77 TIMEOUT ${timeout}
    ENVIRONMENT "SLUICE_BUILD=${CMAKE_BINARY_DIR};PYTHONPATH=${CMAKE_CURRENT_SOURCE_DIR}/support")
endfunction()

sluice_service_test(install quick 60)
sluice_service_test(unit quick 60)
sluice_service_test(notify service 180)
sluice_service_test(nspawn service 300)
