#include "features/scanning/documents/office_text.h"

#include <algorithm>
#include <pugixml.hpp>

#include "base/text.h"
#include "features/scanning/checks/zip_archive.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t entries_max = 4096;
constexpr std::size_t part_bytes_max = 16U << 20;
constexpr std::size_t growth_max = 200;  // times what is packed: text grows to ten, sheets of equal cells to a hundred times
constexpr std::size_t growth_free = 64U << 10;
constexpr std::size_t depth_max = 256;

enum class Meaning : std::uint8_t { none, text, paragraph, gap, unseen };

struct Element {
  std::string_view name;  // without its prefix, which is the writer's choice
  Meaning meaning;
};

// `text`: characters in it are the reader's. `paragraph`: so they are, and words end with it. `gap`: words end there.
constexpr Element of_open_xml[] = {
    {"t", Meaning::text},          {"v", Meaning::text},         {"p", Meaning::gap},
    {"br", Meaning::gap},          {"cr", Meaning::gap},         {"tab", Meaning::gap},
    {"c", Meaning::gap},           {"si", Meaning::gap},         {"comment", Meaning::gap},
    {"pt", Meaning::gap},          {"text", Meaning::paragraph}, {"rPh", Meaning::unseen},  // how a word is spoken
    {"Fallback", Meaning::unseen},                                                          // the same again for older readers
};
constexpr Element of_open_document[] = {
    {"p", Meaning::paragraph}, {"h", Meaning::paragraph},    {"s", Meaning::gap},
    {"tab", Meaning::gap},     {"line-break", Meaning::gap}, {"tracked-changes", Meaning::unseen},
};

// A number in such a cell is the place of a text that stands elsewhere.
bool is_reference(const pugi::xml_node& cell) { return cell.attribute("t").value() == std::string_view("s"); }

class Reader {
 public:
  Reader(OfficeMarkup markup, std::string& text, std::size_t bytes_max) : markup_(markup), text_(text), bytes_max_(bytes_max) {}

  // In the order of the document, without recursion.
  bool read(const pugi::xml_node& root) {
    std::size_t depth = 1;
    for (pugi::xml_node node = root.first_child(); node;) {
      if (text_.size() > bytes_max_) return false;
      if (enter(node) && node.first_child()) {
        if (++depth > depth_max) return false;
        node = node.first_child();
        continue;
      }
      leave(node);
      while (!node.next_sibling()) {
        node = node.parent();
        if (node == root) return text_.size() <= bytes_max_;
        --depth;
        leave(node);
      }
      node = node.next_sibling();
    }
    return true;
  }

 private:
  Meaning meaning_of(const pugi::xml_node& node) const {
    std::string_view name = node.name();
    name.remove_prefix(name.find(':') + 1);  // none: npos + 1 is 0
    const auto find = [&](const auto& elements) {
      for (const Element& element : elements) {
        if (element.name == name) return element.meaning;
      }
      return Meaning::none;
    };
    const Meaning meaning = markup_ == OfficeMarkup::open_xml ? find(of_open_xml) : find(of_open_document);
    return name == "c" && meaning == Meaning::gap && is_reference(node) ? Meaning::unseen : meaning;
  }

  // Whether what is inside counts.
  bool enter(const pugi::xml_node& node) {
    if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) {
      if (inside_ > 0) text_ += node.value();
      return false;
    }
    const Meaning meaning = meaning_of(node);
    if (meaning == Meaning::unseen) return false;
    if (meaning == Meaning::text || meaning == Meaning::paragraph) ++inside_;
    return true;
  }

  void leave(const pugi::xml_node& node) {
    if (node.type() != pugi::node_element) return;
    const Meaning meaning = meaning_of(node);
    if (meaning == Meaning::text || meaning == Meaning::paragraph) --inside_;
    const bool ends_words = meaning == Meaning::gap || meaning == Meaning::paragraph;
    if (ends_words && !text_.empty() && text_.back() != '\n') text_ += '\n';
  }

  const OfficeMarkup markup_;
  std::string& text_;
  const std::size_t bytes_max_;
  std::size_t inside_ = 0;  // elements whose characters count
};

struct Place {
  std::string_view folder, begin;
};
// Where Office Open XML has text. Names are compared without regard to case, as the format asks (ECMA-376 part 2).
constexpr Place places[] = {
    {"word/", "document"}, {"word/", "header"},      {"word/", "footer"},         {"word/", "footnotes"},
    {"word/", "endnotes"}, {"word/", "comments"},    {"ppt/slides/", "slide"},    {"ppt/notesslides/", "notesslide"},
    {"ppt/comments/", ""}, {"xl/", "sharedstrings"}, {"xl/worksheets/", "sheet"}, {"xl/", "comments"},
    {"xl/comments/", ""},  {"xl/charts/", "chart"},  {"word/charts/", "chart"},   {"ppt/charts/", "chart"},
};

bool has_open_xml_text(std::string_view entry_name) {
  std::string name = to_lower(entry_name);
  std::replace(name.begin(), name.end(), '\\', '/');
  if (name.starts_with('/')) name.erase(0, 1);
  return name.ends_with(".xml") && std::any_of(std::begin(places), std::end(places), [&](const Place& place) {
           if (!name.starts_with(place.folder)) return false;
           const std::string_view file = std::string_view(name).substr(place.folder.size());
           return file.starts_with(place.begin) && file.find('/') == std::string_view::npos;
         });
}

bool lists(const ZipListing& listing, std::string_view name) {
  return std::any_of(listing.entries.begin(), listing.entries.end(), [&](const ZipEntry& entry) { return entry.name == name; });
}

bool is_open_document(const ZipListing& listing) { return lists(listing, "mimetype") && lists(listing, "content.xml"); }

// Of Office Open XML, whatever is in it: workbooks in binary (xlsb) and drawings (vsdx) too.
bool is_package(const ZipListing& listing) {
  return std::any_of(listing.entries.begin(), listing.entries.end(),
                     [](const ZipEntry& entry) { return equals_ignoring_case(entry.name, "[Content_Types].xml"); });
}

std::optional<OfficeMarkup> markup_of(const ZipEntry& entry, bool in_open_document) {
  const bool counts = entry.name == "content.xml" || entry.name == "styles.xml";  // headers and footers are part of a style
  if (in_open_document) return counts ? std::optional(OfficeMarkup::open_document) : std::nullopt;
  return has_open_xml_text(entry.name) ? std::optional(OfficeMarkup::open_xml) : std::nullopt;
}

bool add_part(std::string_view archive, const ZipEntry& entry, OfficeMarkup markup, DocumentText& document, std::size_t bytes_max,
              std::size_t& unpacked_left) {
  const std::size_t packed = std::min<std::size_t>(static_cast<std::size_t>(entry.packed_bytes), archive.size());
  std::size_t limit = std::min(part_bytes_max, unpacked_left);
  if (packed != 0) limit = std::min(limit, packed * growth_max + growth_free);
  std::optional<Unzipped> part = unzip(archive, entry, limit);
  if (!part) return false;
  unpacked_left -= std::min(unpacked_left, part->bytes.size());
  return part->complete && add_text_of_markup(part->bytes, markup, document.text, bytes_max);
}

}  // namespace

bool add_text_of_markup(std::string& xml, OfficeMarkup markup, std::string& text, std::size_t bytes_max) {
  constexpr unsigned options = pugi::parse_cdata | pugi::parse_escapes | pugi::parse_ws_pcdata | pugi::parse_eol;
  pugi::xml_document document;
  const bool parsed = bool(document.load_buffer_inplace(xml.data(), xml.size(), options));
  const bool whole = Reader(markup, text, bytes_max).read(document);
  if (text.size() > bytes_max) text.resize(bytes_max);
  return parsed && whole;
}

std::optional<DocumentText> text_of_office(std::string_view archive, std::size_t bytes_max, std::size_t& unpacked_left) {
  std::optional<ZipListing> directory = list_zip_directory(archive, entries_max);
  const bool has_directory = directory.has_value();
  const ZipListing listing = has_directory ? std::move(*directory) : list_zip(archive, entries_max);
  const bool open_document = is_open_document(listing);
  if (!open_document && !is_package(listing)) return std::nullopt;
  DocumentText document;
  document.whole = has_directory && !listing.truncated;
  bool any = false;
  for (const ZipEntry& entry : listing.entries) {
    const std::optional<OfficeMarkup> markup = markup_of(entry, open_document);
    if (!markup) continue;
    any = true;
    // One part that does not open leaves the others.
    const bool has_room = document.text.size() < bytes_max;
    document.whole = has_room && add_part(archive, entry, *markup, document, bytes_max, unpacked_left) && document.whole;
    if (!has_room) break;
  }
  document.whole = document.whole && any;
  return document;
}

}  // namespace mailhold::scanning
