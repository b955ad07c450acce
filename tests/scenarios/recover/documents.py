"""Small documents of our own, each with one line of text."""
import io
import zipfile
from xml.sax.saxutils import escape


def pdf(text):
    """One page, one font, no compression."""
    stream = f"BT /F 12 Tf 20 100 Td ({text}) Tj ET".encode("latin-1")
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 900 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
               b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
               b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"]
    made, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places)
    return made + table + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(made))


def _zip(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def docx(text):
    """A word in two runs, as word processors leave them."""
    begin, end = escape(text[:4]), escape(text[4:])
    body = f"<w:p><w:r><w:t xml:space='preserve'>{begin}</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>{end}</w:t></w:r></w:p>"
    return _zip(**{"[Content_Types].xml": "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>",
                   "word/document.xml": f"<w:document xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'><w:body>{body}</w:body></w:document>"})


def xlsx(text, number):
    main = "xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'"
    return _zip(**{"[Content_Types].xml": "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>",
                   "xl/sharedStrings.xml": f"<sst {main}><si><t>{escape(text)}</t></si></sst>",
                   "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData><row><c r='A1' t='s'><v>0</v></c><c r='B1'><v>{number}</v></c></row></sheetData></worksheet>"})


def odt(text):
    names = "xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0'"
    return _zip(**{"mimetype": "application/vnd.oasis.opendocument.text",
                   "content.xml": f"<office:document-content {names}><office:body><office:text><text:p>{escape(text)}</text:p></office:text></office:body></office:document-content>"})
