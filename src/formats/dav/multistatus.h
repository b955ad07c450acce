// What a DAV server answers: 207 Multi-Status (RFC 4918 section 13) and the preconditions of an error (section 16). The server is
// not trusted: only what was asked for is looked at, a property counts only where its own status is 2xx, and everything has
// limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold::dav {

struct XmlLimits {
  std::size_t bytes_max = 48U << 20;
  std::size_t elements_max = 2'000'000;
  std::size_t depth_max = 40;
};

// One response of a multistatus.
struct Resource {
  std::string path;  // as path_of_href spells it
  int status = 0;    // of the resource as a whole (404: it is gone; 507: not all is told); 0: it has properties
  bool is_collection = false, is_calendar = false, is_address_book = false;
  std::optional<std::string> etag, ctag, sync_token, display_name, content_type;
  std::optional<std::uint64_t> length;
  std::optional<std::string> content;    // calendar-data or address-data
  std::optional<std::string> principal;  // current-user-principal; paths, as the next two
  std::vector<std::string> calendar_homes, address_book_homes;
  std::vector<std::string> components;  // "VEVENT", "VTODO": what a calendar takes; empty: not said
  bool can_sync = false;                // supported-report-set names sync-collection
};

struct Multistatus {
  std::vector<Resource> resources;  // those without a sound path are left out
  std::string sync_token;           // of the report as a whole
};

// corrupt: no such XML; limit_exceeded.
Result<Multistatus> read_multistatus(std::string_view bytes, const XmlLimits& limits = {});

// Whether the body of an error names that precondition of DAV, CalDAV or CardDAV: "valid-sync-token". False where it cannot be
// read.
bool names_precondition(std::string_view bytes, std::string_view precondition);

}  // namespace mailhold::dav
