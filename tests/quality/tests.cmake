# Answers and silences on public question sets beside the source (../shared/data); a visible skip without them.
# The thresholds of pipeline/answer/relevance.c were fitted on the other half of the negatives and on another set.
add_executable(quality_answers quality/quality_answers.c)
target_link_libraries(quality_answers PRIVATE sluice_flags sluice)
target_include_directories(quality_answers PRIVATE ${CMAKE_SOURCE_DIR}/pipeline)

set(QUALITY_DATA ${CMAKE_SOURCE_DIR}/../shared/data)
set(QUALITY_MODEL ${CMAKE_SOURCE_DIR}/build/models/all-MiniLM-L6-v2)

add_test(NAME quality/abstain_lexical COMMAND quality_answers
  --corpus ${QUALITY_DATA}/squad20-dev/corpus.jsonl --positive ${QUALITY_DATA}/squad20-dev/queries.jsonl
  --negative ${QUALITY_DATA}/nq-oracle/queries.jsonl --half 1 --auroc-min 0.93)
add_test(NAME quality/abstain_hybrid COMMAND quality_answers --every 4 --questions 200
  --corpus ${QUALITY_DATA}/squad20-dev/corpus.jsonl --positive ${QUALITY_DATA}/squad20-dev/queries.jsonl
  --negative ${QUALITY_DATA}/nq-oracle/queries.jsonl --half 1 --model ${QUALITY_MODEL} --auroc-min 0.95)
add_test(NAME quality/abstain_near COMMAND quality_answers --near
  --corpus ${QUALITY_DATA}/squad20-dev/corpus.jsonl --positive ${QUALITY_DATA}/squad20-dev/queries.jsonl
  --auroc-min 0.60 --span-f1-min 0.42)
add_test(NAME quality/answers_xquad COMMAND quality_answers --questions 150 --span-f1-min 0.36
  --corpus ${QUALITY_DATA}/xquad-en/corpus.jsonl --positive ${QUALITY_DATA}/xquad-en/queries.jsonl
  --model ${QUALITY_MODEL})
set_tests_properties(quality/abstain_lexical quality/abstain_hybrid quality/abstain_near quality/answers_xquad
  PROPERTIES LABELS quality SKIP_RETURN_CODE 77 TIMEOUT 900 PROCESSORS 2)

# Dates read from questions, against ranges that are known: in a second.
add_test(NAME quality/dates COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/bench/quality/dates.py
  $<TARGET_FILE:sluicectl> ${QUALITY_DATA} --gate)
set_tests_properties(quality/dates PROPERTIES LABELS quick SKIP_RETURN_CODE 77 TIMEOUT 60)

# What is handed on at a budget of 1,000 words, by words alone; bench/quality/chunking has the whole.
add_test(NAME quality/chunks COMMAND ${CMAKE_SOURCE_DIR}/bench/quality/chunking --sluicectl $<TARGET_FILE:sluicectl>
  --mode lexical --set chunking-eval --floor 0.895)
set_tests_properties(quality/chunks PROPERTIES LABELS quality SKIP_RETURN_CODE 77 TIMEOUT 300)
