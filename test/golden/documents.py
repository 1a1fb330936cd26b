"""
Makes test/golden/documents: files of documents as the Python packages bioc and bconv write them, and the spans that those packages read
in files of ours (test/golden/documents/ours, which golden.test.ts compares with what the writers write).

    pip install bioc bconv            (versions: requirements.txt)
    node -e "import('./dist/test/support/documents_golden.js').then((made) => made.write())"
    python test/golden/documents.py
"""

import io
import json
import logging
import os

import bconv
import bioc
from bioc import biocjson, biocxml, pubtator

logging.disable(logging.CRITICAL)
HERE = os.path.join(os.path.dirname(__file__), "documents")

TEXTS = [
    ("21", "Severe \U0001f912 fever in patients", "Cafe\u0301 & <cough>, then \U0001d7d8 fever."),
    ("22", "Cough.", "Nothing here, or fever\u2026 and \u4e2d\u6587 cough"),
]


def mentions(text):
    """Every `fever` and `cough`, by Python's counting of characters."""
    found = []
    for word in ("fever", "cough"):
        at = text.find(word)
        while at >= 0:
            found.append((at, at + len(word), word))
            at = text.find(word, at + 1)
    return sorted(found)


def write(name, text):
    with open(os.path.join(HERE, name), "w", encoding="utf-8", newline="") as file:
        file.write(text)


def theirs():
    """Files that the packages write, and where their mentions are: from the beginning of the document."""
    collection = bioc.BioCCollection()
    collection.source, collection.date, collection.key = "made", "2020", "made.key"
    tators, expected = [], {}
    for id_, title, abstract in TEXTS:
        document = bioc.BioCDocument()
        document.id = id_
        document.infons["journal"] = "a & b"
        tator = pubtator.PubTator(id_, title, abstract)
        spans, offset, count = [], 0, 0
        for kind, text in (("title", title), ("abstract", abstract)):
            passage = bioc.BioCPassage()
            passage.offset, passage.text, passage.infons["type"] = offset, text, kind
            for start, end, word in mentions(text):
                annotation = bioc.BioCAnnotation()
                count += 1
                annotation.id, annotation.text, annotation.infons["type"] = str(count), word, "Sign"
                annotation.add_location(bioc.BioCLocation(offset + start, end - start))
                passage.add_annotation(annotation)
                tator.add_annotation(pubtator.PubTatorAnn(id_, offset + start, offset + end, word, "Sign", "-"))
                spans.append([offset + start, offset + end, word])
            document.add_passage(passage)
            offset += len(text) + 1
        collection.add_document(document)
        tators.append(tator)
        expected[id_] = spans
    write("theirs.bioc.xml", biocxml.dumps(collection))
    write("theirs.bioc.json", biocjson.dumps(collection))
    out = io.StringIO()
    pubtator.dump(tators, out)
    write("theirs.pubtator", out.getvalue())
    write("theirs.json", json.dumps(expected, ensure_ascii=True))


def read(name):
    with open(os.path.join(HERE, "ours", name), encoding="utf-8", newline="") as file:
        return file.read()


def by_bioc(collection):
    return {
        document.id: [
            [place.offset, place.offset + place.length, annotation.text]
            for passage in document.passages
            for annotation in passage.annotations
            for place in annotation.locations
        ]
        for document in collection.documents
    }


def by_bconv(name, fmt, **options):
    """bconv checks that each mention's text stands at its place, and refuses the file otherwise."""
    collection = bconv.load(os.path.join(HERE, "ours", name), fmt=fmt, **options)
    documents = collection if hasattr(collection, "units") and hasattr(collection, "add_document") else [collection]
    return {
        document.id: [[entity.start, entity.end, entity.text] for entity in document.iter_entities()]
        for document in documents
    }


def ours():
    tators = pubtator.loads(read("documents.pubtator"))
    spans = {
        "bioc: bioc-xml": by_bioc(biocxml.loads(read("documents.xml"))),
        "bioc: bioc-json": by_bioc(biocjson.loads(read("documents.json"))),
        "bioc: pubtator": {one.pmid: [[a.start, a.end, a.text] for a in map(numbers, one.annotations)] for one in tators},
        "bconv: bioc-xml": by_bconv("documents.xml", "bioc_xml", byte_offsets=False),
        "bconv: bioc-json": by_bconv("documents.json", "bioc_json", byte_offsets=False),
        "bconv: pubtator": by_bconv("documents.pubtator", "pubtator"),
        "bconv: bioc-xml in bytes": by_bconv("bytes.xml", "bioc_xml", byte_offsets=True),
    }
    brat = {}
    for name in sorted(os.listdir(os.path.join(HERE, "ours"))):
        if name.endswith(".ann"):
            text = read(name[:-4] + ".txt")
            rows = [row.split("\t") for row in read(name).splitlines() if row.startswith("T")]
            brat[name[:-4]] = []
            for _, place, word in rows:
                _, start, end = place.split(" ")
                assert text[int(start) : int(end)] == word, (name, place, word)
                brat[name[:-4]].append([int(start), int(end), word])
    spans["brat"] = brat
    write("read.json", json.dumps(spans, ensure_ascii=True))


def numbers(annotation):
    annotation.start, annotation.end = int(annotation.start), int(annotation.end)
    return annotation


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    theirs()
    if os.path.isdir(os.path.join(HERE, "ours")):
        ours()
