#include "formats/dav/multistatus.h"

#include <algorithm>
#include <pugixml.hpp>

#include "base/text.h"
#include "formats/dav/dav_path.h"

namespace mailhold::dav {
namespace {

constexpr std::string_view dav_space = "DAV:";
constexpr std::string_view caldav_space = "urn:ietf:params:xml:ns:caldav";
constexpr std::string_view carddav_space = "urn:ietf:params:xml:ns:carddav";
constexpr std::string_view calendar_server_space = "http://calendarserver.org/ns/";

Error broken(const char* what) { return {ErrorKind::corrupt, std::string("the server's XML cannot be read: ") + what}; }

// The namespace that the element's prefix stands for, looked up where it was declared.
std::string_view space_of(pugi::xml_node node, std::string_view prefix) {
  const std::string attribute = prefix.empty() ? "xmlns" : "xmlns:" + std::string(prefix);
  for (pugi::xml_node each = node; each; each = each.parent()) {
    if (const pugi::xml_attribute found = each.attribute(attribute.c_str())) return found.value();
  }
  return {};
}

bool is(pugi::xml_node node, std::string_view space, std::string_view local) {
  if (node.type() != pugi::node_element) return false;
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  if (name.substr(colon == std::string_view::npos ? 0 : colon + 1) != local) return false;
  return space_of(node, colon == std::string_view::npos ? std::string_view() : name.substr(0, colon)) == space;
}

pugi::xml_node child(pugi::xml_node node, std::string_view space, std::string_view local) {
  for (const pugi::xml_node each : node.children()) {
    if (is(each, space, local)) return each;
  }
  return {};
}

std::string text_of(pugi::xml_node node) {
  std::string text;
  for (const pugi::xml_node each : node.children()) {
    if (each.type() == pugi::node_pcdata || each.type() == pugi::node_cdata) text += each.value();
  }
  return text;
}

std::string trimmed(pugi::xml_node node) { return std::string(trim(text_of(node))); }

// "HTTP/1.1 200 OK" -> 200
int status_of(pugi::xml_node node) {
  const std::string text = trimmed(node);
  const auto number = text.size() >= 12 ? to_number(std::string_view(text).substr(9, 3)) : std::nullopt;
  return number ? static_cast<int>(*number) : 0;
}

std::vector<std::string> paths_of(pugi::xml_node node) {
  std::vector<std::string> paths;
  for (const pugi::xml_node each : node.children()) {
    if (!is(each, dav_space, "href")) continue;
    if (auto path = path_of_href(text_of(each))) paths.push_back(std::move(*path));
  }
  return paths;
}

void read_property(pugi::xml_node property, Resource& resource) {
  if (is(property, dav_space, "resourcetype")) {
    resource.is_collection = bool(child(property, dav_space, "collection"));
    resource.is_calendar = bool(child(property, caldav_space, "calendar"));
    resource.is_address_book = bool(child(property, carddav_space, "addressbook"));
  } else if (is(property, dav_space, "getetag")) {
    resource.etag = trimmed(property);
  } else if (is(property, dav_space, "sync-token")) {
    resource.sync_token = trimmed(property);
  } else if (is(property, dav_space, "displayname")) {
    resource.display_name = trimmed(property);
  } else if (is(property, dav_space, "getcontenttype")) {
    resource.content_type = trimmed(property);
  } else if (is(property, dav_space, "getcontentlength")) {
    resource.length = to_number(trimmed(property));
  } else if (is(property, calendar_server_space, "getctag")) {
    resource.ctag = trimmed(property);
  } else if (is(property, caldav_space, "calendar-data") || is(property, carddav_space, "address-data")) {
    resource.content = text_of(property);
  } else if (is(property, dav_space, "current-user-principal")) {
    if (auto paths = paths_of(property); !paths.empty()) resource.principal = std::move(paths.front());
  } else if (is(property, caldav_space, "calendar-home-set")) {
    resource.calendar_homes = paths_of(property);
  } else if (is(property, carddav_space, "addressbook-home-set")) {
    resource.address_book_homes = paths_of(property);
  } else if (is(property, caldav_space, "supported-calendar-component-set")) {
    for (const pugi::xml_node each : property.children()) {
      if (is(each, caldav_space, "comp")) resource.components.emplace_back(each.attribute("name").value());
    }
  } else if (is(property, dav_space, "supported-report-set")) {
    for (const pugi::xml_node each : property.children()) {
      const pugi::xml_node report = child(each, dav_space, "report");
      if (report && child(report, dav_space, "sync-collection")) resource.can_sync = true;
    }
  }
}

std::optional<Resource> read_response(pugi::xml_node response) {
  Resource resource;
  auto path = path_of_href(text_of(child(response, dav_space, "href")));
  if (!path) return std::nullopt;
  resource.path = std::move(*path);
  resource.status = status_of(child(response, dav_space, "status"));
  for (const pugi::xml_node propstat : response.children()) {
    if (!is(propstat, dav_space, "propstat")) continue;
    const int status = status_of(child(propstat, dav_space, "status"));
    if (status < 200 || status > 299) continue;
    for (const pugi::xml_node property : child(propstat, dav_space, "prop").children()) read_property(property, resource);
  }
  return resource;
}

// A document without a type, neither too wide nor too deep; its root.
Result<pugi::xml_node> parse(pugi::xml_document& document, std::string_view bytes, const XmlLimits& limits) {
  if (bytes.size() > limits.bytes_max) return Error{ErrorKind::limit_exceeded, "the server's XML is too long"};
  if (static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '<')) > 2 * limits.elements_max)
    return Error{ErrorKind::limit_exceeded, "the server's XML has too many elements"};
  // Line ends stay as they are: contents come in it.
  const unsigned flags = pugi::parse_cdata | pugi::parse_escapes | pugi::parse_doctype;
  const pugi::xml_parse_result parsed = document.load_buffer(bytes.data(), bytes.size(), flags);
  if (!parsed) return broken(parsed.description());
  std::size_t depth = 0;
  for (pugi::xml_node node = document.first_child(); node;) {
    if (node.type() == pugi::node_doctype) return broken("it has a document type");
    if (node.first_child()) {
      if (++depth > limits.depth_max) return Error{ErrorKind::limit_exceeded, "the server's XML is too deep"};
      node = node.first_child();
      continue;
    }
    while (node && !node.next_sibling()) {
      node = node.parent();
      if (depth > 0) --depth;
    }
    if (node) node = node.next_sibling();
  }
  return document.document_element();
}

}  // namespace

Result<Multistatus> read_multistatus(std::string_view bytes, const XmlLimits& limits) {
  pugi::xml_document document;
  ASSIGN_OR_RETURN(const pugi::xml_node root, parse(document, bytes, limits));
  if (!is(root, dav_space, "multistatus")) return broken("it is no multistatus");
  Multistatus answer;
  for (const pugi::xml_node each : root.children()) {
    if (is(each, dav_space, "sync-token")) answer.sync_token = trimmed(each);
    if (!is(each, dav_space, "response")) continue;
    // One response may name several resources with one status (RFC 4918 section 14.24).
    std::size_t hrefs = 0;
    for (const pugi::xml_node inside : each.children()) {
      if (!is(inside, dav_space, "href") || hrefs++ == 0) continue;
      Resource further;
      auto path = path_of_href(text_of(inside));
      if (!path) continue;
      further.path = std::move(*path);
      further.status = status_of(child(each, dav_space, "status"));
      if (further.status != 0) answer.resources.push_back(std::move(further));
    }
    if (auto resource = read_response(each)) answer.resources.push_back(std::move(*resource));
  }
  return answer;
}

bool names_precondition(std::string_view bytes, std::string_view precondition) {
  pugi::xml_document document;
  const Result<pugi::xml_node> root = parse(document, bytes, {.bytes_max = 256U << 10, .elements_max = 1000, .depth_max = 40});
  if (!root || !is(*root, dav_space, "error")) return false;
  return child(*root, dav_space, precondition) || child(*root, caldav_space, precondition) ||
         child(*root, carddav_space, precondition);
}

}  // namespace mailhold::dav
