# SPDX-License-Identifier: GPL-2.0-only
# For bpf.test_nic_race: XDP programs that break rule 4, each by one changed line of rules.h. That
# the line was found and changed is checked, so that a variant cannot silently become the original.
set(RACE_DIR ${CMAKE_BINARY_DIR}/race)
set(RACE_MULTIARCH ${CMAKE_LIBRARY_ARCHITECTURE})

add_custom_target(bpf_race)
function(xr_race_variant name change)
	set(object ${RACE_DIR}/${name}.bpf.o)
	set(rules ${RACE_DIR}/${name}/xraft/rules.h)
	file(MAKE_DIRECTORY ${RACE_DIR}/${name}/xraft)
	add_custom_command(OUTPUT ${object}
		COMMAND sed -e "${change}" ${CMAKE_SOURCE_DIR}/include/xraft/rules.h > ${rules}
		COMMAND sh -c "test $(diff ${CMAKE_SOURCE_DIR}/include/xraft/rules.h ${rules} | grep -c '^>') -eq 1"
		COMMAND ${CLANG} -target bpf -mcpu=v3 -O2 -g ${XR_WARNINGS}
			-I${RACE_DIR}/${name} -I${CMAKE_SOURCE_DIR}/include
			-idirafter ${CMAKE_SYSROOT}/usr/include/${RACE_MULTIARCH}
			-MD -MF ${object}.d -MT ${object}
			-c ${CMAKE_SOURCE_DIR}/bpf/xraft.bpf.c -o ${object}
		DEPENDS ${CMAKE_SOURCE_DIR}/bpf/xraft.bpf.c ${CMAKE_SOURCE_DIR}/include/xraft/rules.h
		DEPFILE ${object}.d
		COMMENT "BPF race/${name}.bpf.o" VERBATIM)
	add_custom_target(bpf_race_${name} ALL DEPENDS ${object})
	add_dependencies(bpf_race bpf_race_${name})
endfunction()

xr_race_variant(no_second_look "s/if (xr_view_read(g).word != v.word.*/if (0)/")
xr_race_variant(plain_stamp "s/if (__sync_val_compare_and_swap(stamp, old, now) == old)/*(volatile __u64 *)stamp = now; if (1)/")

# The window is made wider, since it is the order that is wrong; a register that nobody knows stops no verifier.
xr_race_variant(entry_read_late "s/return XR_R_heartbeat_answered;/for (int spin = 0; spin < 64; spin++) asm volatile(\"\" : \"+r\"(spin)); *entry = *(volatile __u32 *)\\&g->entry; return XR_R_heartbeat_answered;/")

set_property(TEST bpf.test_nic_race APPEND PROPERTY ENVIRONMENT "XR_RACE_VARIANTS=${RACE_DIR}")
set_tests_properties(bpf.test_nic_race PROPERTIES TIMEOUT 180)
