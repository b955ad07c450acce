#include "features/scanning/document_text.h"

#include <algorithm>

#include "base/text.h"
#include "features/scanning/documents/archive.h"
#include "features/scanning/documents/office_text.h"
#include "features/scanning/documents/old_office_text.h"
#include "features/scanning/documents/rich_text.h"
#include "formats/html/html_text.h"
#include "formats/mime/text.h"

namespace mailhold::scanning {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t document_bytes_max = 32U << 20;
constexpr std::size_t text_bytes_max = 4U << 20;  // of a member that is text by its name
constexpr std::size_t before_pdf_max = 1024;      // readers take a PDF that begins so late
constexpr unsigned archive_depth_max = 2;
constexpr std::size_t growth_max = 200;  // times what is packed: text grows to ten, tables to a hundred times
constexpr std::size_t growth_free = 64U << 10;

enum class Kind : std::uint8_t { none, pdf, old_office, rich_text, zip, archive, unread };

Kind kind_of(std::string_view bytes) {
  if (is_rich_text(bytes)) return Kind::rich_text;
  if (is_old_office(bytes)) return Kind::old_office;
  switch (archive_kind_of(bytes)) {
    case ArchiveKind::zip: return Kind::zip;
    case ArchiveKind::tar:
    case ArchiveKind::gzip: return Kind::archive;
    case ArchiveKind::other: return Kind::unread;
    case ArchiveKind::none: break;
  }
  return bytes.substr(0, before_pdf_max).find("%PDF-") == std::string_view::npos ? Kind::none : Kind::pdf;
}

enum class Writing : std::uint8_t { none, plain, html };

struct Extension {
  std::string_view name;
  Writing writing;
};
constexpr Extension extensions[] = {
    {".txt", Writing::plain}, {".csv", Writing::plain},  {".tsv", Writing::plain}, {".md", Writing::plain},
    {".log", Writing::plain}, {".json", Writing::plain}, {".xml", Writing::html},  {".html", Writing::html},
    {".htm", Writing::html},  {".xhtml", Writing::html}, {".ics", Writing::plain}, {".vcf", Writing::plain},
};

Writing writing_of(std::string_view name) {
  const std::string lower = to_lower(name);
  const auto* const found = std::find_if(std::begin(extensions), std::end(extensions),
                                         [&](const Extension& extension) { return lower.ends_with(extension.name); });
  return found == std::end(extensions) ? Writing::none : found->writing;
}

std::string text_of_writing(std::string_view bytes, Writing writing) {
  const bool little = bytes.starts_with("\xFF\xFE"sv), big = bytes.starts_with("\xFE\xFF"sv);
  const std::string text = mime::to_utf8(bytes, little ? "utf-16le" : big ? "utf-16be" : "", 2 * bytes.size());
  return writing == Writing::html ? html::text_of(text) : text;
}

std::string_view without_extension(std::string_view name) { return name.substr(0, name.rfind('.')); }

bool is_tar_in_gzip(std::string_view outer, std::string_view inner) {
  return archive_kind_of(outer) == ArchiveKind::gzip && archive_kind_of(inner) == ArchiveKind::tar;
}

}  // namespace

std::optional<DocumentText> Documents::read_at(std::string_view bytes, std::string_view name, std::size_t bytes_max,
                                               unsigned depth) {
  const Kind kind = kind_of(bytes);
  if (kind == Kind::none) return std::nullopt;
  if (programs_ == nullptr || bytes.size() > document_bytes_max || documents_left_ == 0) return DocumentText();
  --documents_left_;
  switch (kind) {
    case Kind::pdf: return read_pdf(bytes, bytes_max);
    case Kind::old_office: return text_of_old_office(bytes, bytes_max);
    case Kind::rich_text: return text_of_rich_text(bytes, bytes_max);
    case Kind::zip:
      if (std::optional<DocumentText> office = text_of_office(bytes, bytes_max, unpacked_left_)) return office;
      [[fallthrough]];
    case Kind::archive: return read_archive(bytes, name, bytes_max, depth);
    case Kind::unread:
    case Kind::none: break;
  }
  return DocumentText();
}

DocumentText Documents::read_pdf(std::string_view bytes, std::size_t bytes_max) {
  if (pdf_left_ == 0) return {};
  --pdf_left_;
  return programs_->read_pdf(bytes, bytes_max);
}

DocumentText Documents::read_archive(std::string_view bytes, std::string_view name, std::size_t bytes_max, unsigned depth) {
  DocumentText document;
  if (depth > archive_depth_max) return document;
  const Archive archive = Archive::open(bytes, members_left_);
  members_left_ -= std::min(members_left_, archive.members().size());
  document.whole = archive.is_whole();
  for (const ArchiveMember& member : archive.members()) {
    const std::string_view its_name = member.name.empty() ? without_extension(name) : std::string_view(member.name);
    document.text.append(its_name) += '\n';
    const bool has_room = document.text.size() < bytes_max;
    document.whole = has_room && add_member(archive, member, its_name, depth, document.text, bytes_max) && document.whole;
    if (!has_room) break;
  }
  document.text.resize(std::min(document.text.size(), bytes_max));
  return document;
}

// What it is shows in its first bytes, so that large ones which hold no text are not unpacked. False: it could not be told what
// it is, or it is a document and was not read to its end.
bool Documents::add_member(const Archive& archive, const ArchiveMember& member, std::string_view name, unsigned depth,
                           std::string& text, std::size_t bytes_max) {
  const std::optional<Unzipped> begin = archive.unpack(member, before_pdf_max);
  if (!begin || (!begin->complete && !begin->too_big)) return false;
  const Writing writing = writing_of(name);
  if (kind_of(begin->bytes) == Kind::none && writing == Writing::none) return true;
  // What it takes of the archive is the archive's word.
  const std::size_t may_grow_to = std::min(member.packed_bytes, archive.bytes().size()) * growth_max + growth_free;
  const std::optional<Unzipped> unpacked = archive.unpack(member, std::min({document_bytes_max, unpacked_left_, may_grow_to}));
  if (!unpacked) return false;
  unpacked_left_ -= std::min(unpacked_left_, unpacked->bytes.size());
  const std::string_view bytes = unpacked->bytes;
  const std::size_t room = bytes_max - text.size();
  std::optional<DocumentText> read;
  if (unpacked->complete) read = read_at(bytes, name, room, is_tar_in_gzip(archive.bytes(), bytes) ? depth : depth + 1);
  if (!read && writing != Writing::none)
    read = DocumentText{text_of_writing(bytes.substr(0, text_bytes_max), writing),
                        unpacked->complete && bytes.size() <= text_bytes_max};
  if (!read) return unpacked->complete;
  text += read->text;
  if (!text.empty() && text.back() != '\n') text += '\n';
  return read->whole && text.size() <= bytes_max;
}

}  // namespace mailhold::scanning
