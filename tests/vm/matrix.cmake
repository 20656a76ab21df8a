# SPDX-License-Identifier: GPL-2.0-only
# What scripts/test --vm runs besides the short form; support.tsv has a row for each.
