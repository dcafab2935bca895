# The three kinds of targets of this project. Each folder of src/ is one library; a header, its source and its
# _test.cc lie side by side, and all _test.cc files of a folder make one test program.

set(MIDONET_WARNINGS
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast -Werror)

function(_midonet_options target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${MIDONET_WARNINGS}>)
  target_link_libraries(${target} PRIVATE Threads::Threads)
endfunction()

# What makes a memory error of the programs end the process rather than run an attacker's code: guarded stack frames, checked
# calls of the C library, a random load address and tables of the linker that are read-only. The sanitizers have their own means.
# tests/system/hardening_test.py looks at what was built.
function(midonet_harden)
  if(MIDONET_SANITIZE)
    return()
  endif()
  add_compile_options(-fPIE -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection)
  endif()
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")  # the checks need an optimiser
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  endif()
  add_link_options(-pie LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
endfunction()

# Several sources in one translation unit: each header is read, and each template instantiated, once for all of them
# (docs/adr/0005). Sources of one folder therefore have no two names alike in their anonymous namespaces, and each test
# file has a namespace of its own.
function(_midonet_unity target batch)
  if(MIDONET_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${batch})
    # GCC takes each source for a header that others might include too.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# midonet_library(base SOURCES a.cc b.cc DEPS fmt::fmt)
# TESTING: what tests share; built only where a test program wants it. SEPARATE: each source is an object of its own, so that
# a program links only those that it uses. FUZZED: it reads what others wrote, so it tells libFuzzer which code an input reaches.
function(midonet_library name)
  cmake_parse_arguments(arg "TESTING;SEPARATE;FUZZED" "" "SOURCES;DEPS" ${ARGN})
  add_library(midonet_${name} STATIC ${arg_SOURCES})
  if(arg_TESTING)
    set_target_properties(midonet_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  _midonet_options(midonet_${name})
  if(NOT arg_SEPARATE)
    _midonet_unity(midonet_${name} 8)
  endif()
  if(arg_FUZZED AND MIDONET_FUZZ)
    target_compile_options(midonet_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  target_link_libraries(midonet_${name} PUBLIC ${arg_DEPS})
endfunction()

# midonet_program(mm-ctl SOURCES main.cc DEPS midonet_cli)
function(midonet_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  _midonet_options(${name})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
endfunction()

# midonet_test(store SOURCES a_test.cc DEPS midonet_store [LABELS unit] [ENVIRONMENT k=v])
# Each TEST() of the program becomes one ctest test, so that they run in parallel and are counted one by one; with
# ONE_PROCESS the program is one ctest test: for tests that share something which takes long to start.
function(midonet_test name)
  cmake_parse_arguments(arg "ONE_PROCESS" "" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT MIDONET_TEST_PROGRAMS)
    return()
  endif()
  add_executable(${name}_test ${arg_SOURCES})
  _midonet_options(${name}_test)
  _midonet_unity(${name}_test 5)
  target_link_libraries(${name}_test PRIVATE ${arg_DEPS} GTest::gmock GTest::gtest_main)
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(arg_ONE_PROCESS)
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 300)
    return()
  endif()
  include(GoogleTest)
  gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 120)
endfunction()
