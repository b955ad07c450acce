#include "features/scanning/documents/old_office_text.h"

#include "features/scanning/documents/compound_file.h"

namespace mailhold::scanning {
namespace {

bool add_text(const CompoundFile& file, TextWriter& text) {
  if (const auto document = file.stream("WordDocument")) {
    const auto table = file.stream(table_of_word(*document));
    return table && add_text_of_word(*document, *table, text);
  }
  // Where a file is for two versions of Excel, both streams say the same.
  for (const std::string_view name : {"Workbook", "Book"}) {
    if (const auto workbook = file.stream(name)) return add_text_of_excel(*workbook, text);
  }
  const auto slides = file.stream("PowerPoint Document"), user = file.stream("Current User");
  return slides && user && !is_encrypted_powerpoint(*user) && add_text_of_powerpoint(*slides, text);
}

}  // namespace

bool is_old_office(std::string_view bytes) { return CompoundFile::is_one(bytes); }

DocumentText text_of_old_office(std::string_view file, std::size_t bytes_max) {
  DocumentText document;
  const std::optional<CompoundFile> opened = CompoundFile::open(file);
  if (!opened) return document;
  TextWriter text(document.text, bytes_max);
  const bool read = add_text(*opened, text);
  document.whole = text.finish() && read;
  return document;
}

}  // namespace mailhold::scanning
