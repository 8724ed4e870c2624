# One folder with an expect.jsonl is one test: text files through sluicectl, without Kafka (flow/run.py).
find_package(Python3 REQUIRED COMPONENTS Interpreter)

file(GLOB FLOW_CASES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/flow/*/expect.jsonl)
foreach(expectations IN LISTS FLOW_CASES)
  get_filename_component(case_folder ${expectations} DIRECTORY)
  get_filename_component(case_name ${case_folder} NAME)
  add_test(NAME flow/${case_name}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/flow/run.py $<TARGET_FILE:sluicectl> ${case_folder})
  set_tests_properties(flow/${case_name} PROPERTIES LABELS quick TIMEOUT 120)
endforeach()

add_test(NAME flow/sluicectl
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/flow/test_sluicectl.py $<TARGET_FILE:sluicectl>)
set_tests_properties(flow/sluicectl PROPERTIES LABELS quick TIMEOUT 120)

# The shape of the source, and that the check for it can fail.
add_test(NAME tidy/source COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/tools/tidy)
add_test(NAME tidy/self_test COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/tools/tidy --self-test)
set_tests_properties(tidy/source tidy/self_test PROPERTIES LABELS quick TIMEOUT 60)

# Public question sets (flow/test_eval_sets.py); those that embed a whole corpus take minutes.
function(sluice_eval_test case_name label timeout)
  add_test(NAME quality/${case_name}
    COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/flow/test_eval_sets.py $<TARGET_FILE:sluicectl> ${case_name})
  set_tests_properties(quality/${case_name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT ${timeout})
endfunction()

sluice_eval_test(xquad_lexical quick 120)
sluice_eval_test(law_versions quick 120)
sluice_eval_test(fomc_filtered quality 120)
sluice_eval_test(fomc_dated quality 120)
sluice_eval_test(scifact_lexical quality 600)
sluice_eval_test(xquad_hybrid quality 600)
if(SLUICE_LONG)
  sluice_eval_test(scifact_hybrid long 3600)
endif()
