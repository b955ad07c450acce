#include "formats/dav/dav_request.h"

namespace mailhold::dav {
namespace {

constexpr std::string_view head = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
constexpr std::string_view spaces =
    " xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:A=\"urn:ietf:params:xml:ns:carddav\""
    " xmlns:S=\"http://calendarserver.org/ns/\"";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    switch (letter) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      default:
        if (static_cast<unsigned char>(letter) >= 0x20 || letter == '\t') out += letter;
    }
  }
  return out;
}

std::string document(std::string_view name, const std::string& inside) {
  return std::string(head) + "<" + std::string(name) + std::string(spaces) + ">" + inside + "</" + std::string(name) + ">\n";
}

std::string propfind(const std::string& properties) { return document("D:propfind", "<D:prop>" + properties + "</D:prop>"); }

}  // namespace

std::string write_find_principal() { return propfind("<D:current-user-principal/>"); }

std::string write_find_homes() { return propfind("<C:calendar-home-set/><A:addressbook-home-set/>"); }

std::string write_find_collections() {
  return propfind(
      "<D:resourcetype/><D:displayname/><D:sync-token/><D:supported-report-set/><S:getctag/>"
      "<C:supported-calendar-component-set/>");
}

std::string write_list_items() { return propfind("<D:resourcetype/><D:getetag/><D:getcontenttype/><D:getcontentlength/>"); }

std::string write_sync_collection(std::string_view token, std::size_t limit) {
  std::string inside = "<D:sync-token>" + escaped(token) + "</D:sync-token><D:sync-level>1</D:sync-level>";
  if (limit > 0) inside += "<D:limit><D:nresults>" + std::to_string(limit) + "</D:nresults></D:limit>";
  return document("D:sync-collection", inside + "<D:prop><D:getetag/><D:getcontenttype/><D:getcontentlength/></D:prop>");
}

std::string write_multiget(CollectionKind kind, std::span<const std::string> paths) {
  const bool is_calendar = kind == CollectionKind::calendar;
  std::string inside = "<D:prop><D:getetag/>";
  inside += is_calendar ? "<C:calendar-data/></D:prop>" : "<A:address-data/></D:prop>";
  for (const std::string& path : paths) inside += "<D:href>" + escaped(path) + "</D:href>";
  return document(is_calendar ? "C:calendar-multiget" : "A:addressbook-multiget", inside);
}

std::string write_make_calendar(std::string_view display_name) {
  return document("C:mkcalendar", "<D:set><D:prop><D:displayname>" + escaped(display_name) + "</D:displayname></D:prop></D:set>");
}

std::string write_make_address_book(std::string_view display_name) {
  return document("D:mkcol", "<D:set><D:prop><D:resourcetype><D:collection/><A:addressbook/></D:resourcetype><D:displayname>" +
                                 escaped(display_name) + "</D:displayname></D:prop></D:set>");
}

}  // namespace mailhold::dav
