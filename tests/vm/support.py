# SPDX-License-Identifier: GPL-2.0-only
"""support.tsv holds what runs have found, a row each; the README shows it as a table."""
import pathlib

FILE = pathlib.Path(__file__).with_name("support.tsv")
README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!--tests/vm/table-->\n", "<!--end-->\n"
HEAD = "| kernel | XDP | interface |\n|---|---|---|\n"


def load():
    """{(kernel, interface, case): what came of it}"""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    return {tuple(line.split("\t")[:3]): line.split("\t")[3] for line in lines}


def save(rows):
    FILE.write_text("".join("\t".join([*key, rows[key]]) + "\n" for key in sorted(rows)), encoding="utf-8")


def found(kernel, card, case, result):
    """The rows of one run; a case that tries several things has one for each."""
    if isinstance(result, str):
        return {(kernel, card, case): result}
    return {(kernel, f"{card}, {what}", case): said for what, said in result.items()}


def differ(rows):
    """Where these rows are not what is written."""
    written = load()
    return [f"{', '.join(key)}: {said}; support.tsv says: {written.get(key, 'nothing')} (--record writes it)"
            for key, said in rows.items() if written.get(key) != said]


def table():
    """A line for all that came out the same with a kernel, and for kernels of which the same is to be said."""
    merged, alike = {}, {}
    for (kernel, interface, _), said in load().items():
        merged.setdefault((kernel, said), set()).add(interface)
    for (kernel, said), names in sorted(merged.items()):
        alike.setdefault((said, "; ".join(sorted(names))), []).append(kernel)
    lines = [f"| {'; '.join(kernels)} | {said} | {names} |\n" for (said, names), kernels in alike.items()]
    return HEAD + "".join(lines)


def readme():
    """(what the README says, what it should say)"""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return text, before + BEGIN + table() + END + rest.split(END, 1)[1]
