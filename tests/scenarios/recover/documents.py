"""Small documents of our own, each with one line of text."""
import io
import struct
import tarfile
import zipfile
from xml.sax.saxutils import escape

NONE = 0xFFFFFFFF


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


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def docx(text):
    """A word in two runs, as word processors leave them."""
    begin, end = escape(text[:4]), escape(text[4:])
    body = f"<w:p><w:r><w:t xml:space='preserve'>{begin}</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>{end}</w:t></w:r></w:p>"
    return zipped({"[Content_Types].xml": "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>",
                   "word/document.xml": f"<w:document xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'><w:body>{body}</w:body></w:document>"})


def xlsx(text, number):
    main = "xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'"
    return zipped({"[Content_Types].xml": "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>",
                   "xl/sharedStrings.xml": f"<sst {main}><si><t>{escape(text)}</t></si></sst>",
                   "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData><row><c r='A1' t='s'><v>0</v></c><c r='B1'><v>{number}</v></c></row></sheetData></worksheet>"})


def odt(text):
    names = "xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0'"
    return zipped({"mimetype": "application/vnd.oasis.opendocument.text",
                   "content.xml": f"<office:document-content {names}><office:body><office:text><text:p>{escape(text)}</text:p></office:text></office:body></office:document-content>"})



def tgz(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def encrypted(archive):
    """As its directory says of the first member: what is inside can't be told."""
    place = archive.index(b"PK\1\2") + 8
    return archive[:place] + bytes([archive[place] | 1]) + archive[place + 1:]


def rtf(text):
    return ("{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}\\f0 " + text[:4] + "{\\b " + text[4:] + "}\\par}").encode("ascii")


def compound(streams):
    """A compound file (MS-CFB, version 3). Streams are filled up with zeros to the size from which on they have sectors of their own."""
    sectors, table, entries = b"", [], b""

    def place(content):
        nonlocal sectors
        content += bytes(-len(content) % 512)
        first, count = len(table), len(content) // 512
        sectors += content
        table.extend([*range(first + 1, first + count), 0xFFFFFFFE])
        return first

    def entry(name, kind, right, child, first, size):
        wide = name.encode("utf-16le")
        return wide.ljust(64, b"\0") + struct.pack("<HBBIII", len(wide) + 2, kind, 1, NONE, right, child) + bytes(36) + struct.pack("<IQ", first, size)

    for number, (name, content) in enumerate(streams.items(), 1):
        content = content.ljust(4096, b"\0")
        entries += entry(name, 2, NONE if number == len(streams) else number + 1, NONE, place(content), len(content))
    directory = place(entry("Root Entry", 5, NONE, 1, 0xFFFFFFFE, 0) + entries)
    tables = len(table) // 127 + 1
    places = [len(table) + number for number in range(tables)]
    table.extend([0xFFFFFFFD] * tables)
    header = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(10)
    header += struct.pack("<IIIIIIII", tables, directory, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0) + struct.pack(f"<{tables}I", *places)
    return header.ljust(512, b"\xFF") + sectors + struct.pack(f"<{len(table)}I", *table) + b"\xFF" * (-4 * len(table) % 512)


def doc(text):
    """Word 97: one piece of one byte for each character."""
    document = bytearray(900) + text.encode("latin-1")
    pieces = struct.pack("<II", 0, len(text)) + struct.pack("<HIH", 0, 900 * 2 | 0x40000000, 0)
    table = b"\2" + struct.pack("<I", len(pieces)) + pieces
    for at, form, value in ((0, "<H", 0xA5EC), (2, "<H", 0xC1), (10, "<H", 0x200), (32, "<H", 14), (62, "<H", 22), (76, "<I", len(text)), (422, "<I", len(table))):
        struct.pack_into(form, document, at, value)
    return compound({"WordDocument": bytes(document), "1Table": table})


def xls(text, number):
    """Excel 97: one string, one number."""
    def record(kind, content):
        return struct.pack("<HH", kind, len(content)) + content
    strings = struct.pack("<IIHB", 1, 1, len(text), 0) + text.encode("latin-1")
    return compound({"Workbook": record(0x809, struct.pack("<HH", 0x600, 5) + bytes(12)) + record(0xFC, strings) + record(0x203, bytes(6) + struct.pack("<d", number)) + record(0x0A, b"")})


def ppt(text):
    """PowerPoint 97: one slide, of such a length that the zeros behind it are whole records."""
    text += " " * (-len(text) % 4)
    def record(first, kind, content):
        return struct.pack("<HHI", first, kind, len(content)) + content
    return compound({"PowerPoint Document": record(0x0F, 0x3EE, record(0, 0xFA0, text.encode("utf-16le"))), "Current User": bytes(12) + struct.pack("<I", 0xE391C05F)})
