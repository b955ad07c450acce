// The text of an office file: ZIP with XML inside, as Office Open XML (ECMA-376: docx, xlsx, pptx) and OpenDocument (odt, ods,
// odp) have it. Words as their reader sees them: headers and footers, notes and comments too; nothing that was deleted.
//
// Linear in what is unpacked, which is bounded: in all, in each part, and by how much a part may grow. XML without entities of
// its own and no file but this one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "features/scanning/document_text.h"

namespace mailhold::scanning {

// Nothing: no office file, as neither a package of Office Open XML nor an OpenDocument says what it is. Not whole: a part does
// not open, or it is a kind of office file without parts that are known. At most so many bytes of text; what was unpacked is
// taken off `unpacked_left`.
std::optional<DocumentText> text_of_office(std::string_view archive, std::size_t bytes_max, std::size_t& unpacked_left);

enum class OfficeMarkup : std::uint8_t { open_xml, open_document };

// One part of such a file; the text is added to what is there. Changes the bytes of `xml`. False: it is no XML, is nested too
// deeply, or the text would become longer than that.
bool add_text_of_markup(std::string& xml, OfficeMarkup markup, std::string& text, std::size_t bytes_max);

}  // namespace mailhold::scanning
