# The verbs that leaf files use. A module is a folder of src/: it links only
# what its row in docs/architecture.md names, so the build keeps the floors.

# kan_module(NAME SOURCES ... USES module... LIBS pkgconfig-target...)
function(kan_module name)
    cmake_parse_arguments(M "" "" "SOURCES;USES;LIBS" ${ARGN})
    add_library(kan_${name} STATIC ${M_SOURCES})
    kan_strict(kan_${name})
    target_include_directories(kan_${name} PUBLIC
        ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
        ${PROJECT_BINARY_DIR}/include)
    target_compile_options(kan_${name} PRIVATE
        -include ${PROJECT_SOURCE_DIR}/src/base/banned.h)
    foreach(used ${M_USES})
        target_link_libraries(kan_${name} PUBLIC kan_${used})
    endforeach()
    target_link_libraries(kan_${name} PUBLIC ${M_LIBS})
endfunction()

# Files of this folder that may call what src/base/banned.h forbids.
function(kan_allow_banned)
    set_source_files_properties(${ARGN} PROPERTIES
        COMPILE_DEFINITIONS KAN_ALLOW_BANNED)
endfunction()

# The warnings of the house. Warnings are errors.
function(kan_strict target)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wconversion -Wshadow -Wformat=2 -Wvla -Werror
        $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
        -fno-strict-aliasing -fno-common)
endfunction()

# kan_test(NAME SOURCES ... USES module... [THREADS]): a program of cmocka
# tests. THREADS says that it starts threads of its own.
function(kan_test name)
    if(NOT KAN_TESTS)
        return()
    endif()
    cmake_parse_arguments(T "THREADS" "TIMEOUT" "SOURCES;USES;LIBS" ${ARGN})
    add_executable(${name} ${T_SOURCES})
    kan_strict(${name})
    foreach(used ${T_USES})
        target_link_libraries(${name} PRIVATE kan_${used})
    endforeach()
    target_link_libraries(${name} PRIVATE PkgConfig::CMOCKA ${T_LIBS})
    add_test(NAME ${name} COMMAND ${name})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT})
    # What has threads, as the world does, runs under the thread sanitizer too.
    if(T_THREADS OR "env_uv" IN_LIST T_USES OR "typed" IN_LIST T_USES)
        set_tests_properties(${name} PROPERTIES LABELS threads)
    endif()
endfunction()

# kan_fuzz(NAME SOURCES ... USES ...): a libFuzzer target under the fuzz preset;
# elsewhere a test that replays the committed corpus test/fuzz/corpus/NAME.
function(kan_fuzz name)
    if(NOT KAN_TESTS)
        return()
    endif()
    cmake_parse_arguments(F "" "" "SOURCES;USES;LIBS" ${ARGN})
    add_executable(fuzz_${name} ${F_SOURCES})
    kan_strict(fuzz_${name})
    foreach(used ${F_USES})
        target_link_libraries(fuzz_${name} PRIVATE kan_${used})
    endforeach()
    target_link_libraries(fuzz_${name} PRIVATE ${F_LIBS})
    if(KAN_FUZZ)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(fuzz_${name} PRIVATE
            ${PROJECT_SOURCE_DIR}/test/fuzz/replay.c)
    endif()
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} $<$<BOOL:${KAN_FUZZ}>:-runs=0>
        ${PROJECT_SOURCE_DIR}/test/fuzz/corpus/${name})
endfunction()
