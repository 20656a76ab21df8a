# SPDX-License-Identifier: GPL-2.0-only
"""support.tsv holds what runs have found, a row each; the README shows it as a table."""
import pathlib

FILE = pathlib.Path(__file__).with_name("support.tsv")
README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!--tests/vm/table-->\n", "<!--end-->\n"


def load():
    """{(kernel, interface, case): what came of it}"""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    return {tuple(line.split("\t")[:3]): line.split("\t")[3] for line in lines}


def save(rows):
    FILE.write_text("".join("\t".join([*key, rows[key]]) + "\n" for key in sorted(rows)), encoding="utf-8")


def found(kernel, card, case, result):
    """The rows of one run: the card's, or one for each interface that the case had."""
    return {(kernel, interface, case): said
            for interface, said in (result if isinstance(result, dict) else {card: result}).items()}


def differ(rows):
    """Where these rows are not what is written."""
    written = load()
    return [f"{', '.join(key)}: {said}; support.tsv says: {written.get(key, 'nothing')} (--record writes it)"
            for key, said in rows.items() if written.get(key) != said]


def word(said):
    """A cell is short. Beside other programs is the rule, and alone the exception."""
    if said == "by the daemon":
        return "daemon"
    return said.removesuffix(", dispatcher").replace(", alone", " (alone)")


def table():
    """A column for each kernel, a line for all interfaces of which the same is known. Without spaces, since
    the README's words are counted."""
    rows = load()
    kernels = sorted({kernel for kernel, _, _ in rows})
    known = {}
    for (kernel, interface, _), said in rows.items():
        known.setdefault(interface, {}).setdefault(kernel, set()).add(word(said))
    lines = {}
    for interface, by_kernel in sorted(known.items()):
        cells = tuple("/".join(sorted(by_kernel.get(kernel, ""))) for kernel in kernels)
        lines.setdefault(cells, []).append(interface)
    head = f"|interface|{'|'.join(kernels)}|\n|{'---|' * (len(kernels) + 1)}\n"
    return head + "".join(f"|{'; '.join(names)}|{'|'.join(cells)}|\n" for cells, names in sorted(
        lines.items(), key=lambda line: (line[0].count(""), line[1])))


def readme():
    """(what the README says, what it should say)"""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return text, before + BEGIN + table() + END + rest.split(END, 1)[1]
