// The text of an office file of before 2007: a compound file with a document of Word (97 and later), a workbook of Excel (5 and
// later) or slides of PowerPoint (97 and later). It gives the text that its reader sees: of Word all, headers and notes too; of
// Excel cells and text boxes, but no names of sheets, titles of charts, headers and footers; of PowerPoint slides and notes, but
// not their master. What was deleted while changes were tracked (Word), and what an earlier save left in the file (PowerPoint),
// is there too. A file is whole when all that is read of its kind was read.
//
// Linear in the size of the file; what it says of lengths and places is believed within its bytes only. Encrypted files, and
// compound files of other programs, are not read.
#pragma once

#include <string>
#include <string_view>

#include "features/scanning/document_text.h"
#include "features/scanning/documents/text_writer.h"

namespace mailhold::scanning {

bool is_old_office(std::string_view bytes);  // by its first bytes
DocumentText text_of_old_office(std::string_view file, std::size_t bytes_max);

// The streams in it. False: encrypted, of an older program, damaged, or the text is full before the end.
std::string_view table_of_word(std::string_view document);  // the name of the stream that says where the text lies
bool add_text_of_word(std::string_view document, std::string_view table, TextWriter& text);
bool add_text_of_excel(std::string_view workbook, TextWriter& text);
bool add_text_of_powerpoint(std::string_view document, TextWriter& text);
bool is_encrypted_powerpoint(std::string_view current_user);  // the stream of that name

}  // namespace mailhold::scanning
