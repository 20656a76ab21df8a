# SPDX-License-Identifier: GPL-2.0-only
# What scripts/test --vm runs besides the short form: a row of support.tsv each.
foreach(kernel 6.1 6.1-rt 6.12)
	xr_vm_test(probe_${kernel} matrix 1800 probe --kernel ${kernel})
endforeach()
xr_vm_test(short_6.12 matrix 1800 short --kernel 6.12)
xr_vm_test(probe_6.1_e1000e matrix 1800 probe --nic e1000e)
xr_vm_test(probe_6.1_e1000 matrix 1800 probe --nic e1000)
xr_vm_test(probe_6.12_vmxnet3 matrix 1800 probe --kernel 6.12 --nic vmxnet3)
xr_vm_test(probe_6.12_queues matrix 1800 probe --kernel 6.12 --queues 2)
