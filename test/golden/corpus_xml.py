"""Paragraphs of real PubMed and PMC XML by another road than src/data/corpus/formats: whole trees of lxml, emptied of what is not
prose, then read with itertext; citations by a scan of brackets. The texts are their publishers', so only digests are kept.

usage: corpus_xml.py DATA                   writes corpus/xml.json from DATA/corpus/{pubmed_xml,pmc_xml}
       corpus_xml.py DATA --show FILE       prints the paragraphs of one file as JSON
Needs: lxml.
"""
import hashlib
import json
import re
import sys
from pathlib import Path

from lxml import etree

PARSER = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=True)


def clean(text):
    return ' '.join(''.join(c for c in text if c not in '\u00ad\u200b\u2060\ufeff').split())


def replace(element, text):
    """The element becomes a piece of text."""
    text += element.tail or ''
    parent, before = element.getparent(), element.getprevious()
    if before is None:
        parent.text = (parent.text or '') + text
    else:
        before.tail = (before.tail or '') + text
    parent.remove(element)


def powers(root):
    """A number raised behind a digit is an exponent."""
    for sup in root.xpath('.//sup'):
        ahead = sup.getprevious()
        left = (sup.getparent().text if ahead is None else ahead.tail) or ''
        raised = ''.join(sup.itertext())
        if left[-1:].isascii() and left[-1:].isdigit() and re.match(r'\s*[-+−–]?[0-9]', raised):
            sup.text = '^' + (sup.text or '')


def pubmed(path):
    out = []
    for citation in etree.parse(path, PARSER).iter('MedlineCitation'):
        etree.strip_elements(citation, 'CopyrightInformation', 'OtherAbstract', with_tail=False)
        powers(citation)
        title = clean(''.join(citation.find('Article/ArticleTitle').itertext()))
        if title.startswith('[') and re.search(r'\]\.?$', title):
            title = re.sub(r'\]\.?$', '', title[1:]).strip() + '.'
        parts = []
        for part in citation.iterfind('Article/Abstract/AbstractText'):
            text = clean(''.join(part.itertext()))
            if 'ABSTRACT TRUNCATED' in text:
                text = text[: text.index('ABSTRACT TRUNCATED')].rstrip(' (')
            parts.append(f'{part.get("Label")}: {text}' if part.get('Label') else text)
        if parts:
            pmid = citation.find('PMID')
            out.append({'id': pmid.text, 'version': int(pmid.get('Version')), 'paragraphs': [title, *parts]})
    return out


MARK = '\ue000'
GONE = 'fig table-wrap disp-formula supplementary-material media graphic fn inline-graphic label object-id tex-math'.split()
ASIDE = {'supporting information', 'competing interests', "authors' contributions", 'pre-publication history', 'acknowledgements'}
SMALL = {'see', 'also', 'and', 'or', 'in', 'for', 'by', 'reviewed', 'e.g', 'i.e', 'cf', 'ref', 'refs', 'review'}


def only_citations(inside):
    if MARK not in inside:
        return False
    words = re.split(r'[\s,;:&/–−-]+', inside.replace(MARK, ' '))
    return all(word.rstrip('.').lower() in SMALL or word in ('', '.') for word in words)


def uncited(text):
    changed = True
    while changed:
        changed = False
        for opening, closing in ('[]', '()'):
            for found in re.finditer(r'\%s([^\[\]()]*)\%s' % (opening, closing), text):
                if only_citations(found.group(1)):
                    text = text[: found.start()] + MARK + text[found.end() :]
                    changed = True
                    break
    text = re.sub(MARK + '([ ,;–−-]*' + MARK + ')+', MARK, text)
    text = re.sub(r'(?<=[\[(]) ?' + MARK + '[ ,;]*', '', text)
    text = re.sub('[ ,;]*' + MARK + r' ?(?=[\])])', '', text)
    text = re.sub(r'\. ?' + MARK + r' ?\.', '.', text)
    text = re.sub(' ' + MARK + r'(?=[\s.,;:?!)\]]|$)', '', text)
    return text.replace(MARK, '')


def line(element):
    return uncited(clean(''.join(element.itertext()))).strip()


def prose(element, out):
    for child in element:
        if child.tag == 'p':
            text = line(child)
            if any(c.isalnum() for c in text):
                out.append(text)
        elif child.tag == 'sec':
            title = child.find('title')
            name = '' if title is None else line(title)
            if child.get('sec-type') == 'supplementary-material' or name.lower() in ASIDE:
                continue
            if name:
                out.append(name)
            prose(child, out)
        elif child.tag in ('list', 'list-item', 'disp-quote', 'boxed-text'):
            prose(child, out)


def pmc(path):
    article = etree.parse(path, PARSER).getroot()
    for comment in article.xpath('.//comment() | .//processing-instruction()'):
        replace(comment, '')
    for tag in GONE:
        for element in article.xpath(f'.//{tag}'):
            replace(element, ' ')
    for xref in article.xpath('.//xref[@ref-type="bibr"]'):
        assert re.fullmatch(r'[\[\]()\d,\s–-]+', ''.join(xref.itertext())), etree.tostring(xref)
        replace(xref, MARK)
    for sup in article.xpath('.//sup'):
        text = ''.join(sup.itertext())
        if MARK in text and not re.search(r'[^\s,–\ue000-]', text):
            replace(sup, MARK)
    powers(article)
    meta = article.find('front/article-meta')
    out = [line(meta.find('title-group/article-title'))]
    for abstract in meta.iterfind('abstract'):
        for section in abstract.iterfind('sec'):
            texts = [line(p) for p in section.iterfind('p')]
            out += [line(section.find('title')).rstrip(':.') + ': ' + texts[0], *texts[1:]]
        title = abstract.find('title')
        out += [line(p) for p in abstract.iterfind('p')]
    prose(article.find('body'), out)
    pmcid = meta.xpath('article-id[@pub-id-type="pmc"]')[0].text
    return [{'id': 'PMC' + pmcid.removeprefix('PMC'), 'paragraphs': out}]


def figures(document):
    text = '\n'.join(document['paragraphs'])
    words = sum(len(p.split()) for p in document['paragraphs'])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return {**document, 'paragraphs': len(document['paragraphs']), 'words': words, 'sha256': digest}


def main():
    data = Path(sys.argv[1]) / 'corpus'
    if '--show' in sys.argv:
        path = sys.argv[-1]
        print(json.dumps((pmc if path.endswith('.nxml') else pubmed)(path), ensure_ascii=False, indent=1))
        return
    golden = {}
    for path in sorted(data.glob('pubmed_xml/*.xml')):
        golden[f'pubmed_xml/{path.name}'] = [figures(d) for d in pubmed(str(path))]
    for path in sorted(data.glob('pmc_xml/*.nxml')):
        golden[f'pmc_xml/{path.name}'] = [figures(d) for d in pmc(str(path))]
    out = Path(__file__).parent / 'corpus' / 'xml.json'
    out.parent.mkdir(exist_ok=True)
    lines = [f'{json.dumps(name)}: [\n' + ',\n'.join(json.dumps(d) for d in found) + '\n]' for name, found in golden.items()]
    out.write_text('{\n' + ',\n'.join(lines) + '\n}\n')


main()
