// The XML bodies of a client's requests. Texts are escaped; what XML cannot carry (control characters) is left out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mailhold::dav {

enum class CollectionKind : std::uint8_t { calendar = 1, address_book = 2 };

// PROPFIND, Depth 0: who am I, and where are my calendars and address books?
std::string write_find_principal();
std::string write_find_homes();
// PROPFIND, Depth 1: what collections are there, what do they hold, and in which state are they?
std::string write_find_collections();
// PROPFIND, Depth 1: the items of a collection, with their ETags.
std::string write_list_items();

// REPORT sync-collection (RFC 6578 section 3.2): what changed since the token; `limit` 0: without one.
std::string write_sync_collection(std::string_view token, std::size_t limit);
// REPORT calendar-multiget (RFC 4791 section 7.9) or addressbook-multiget (RFC 6352 section 8.7).
std::string write_multiget(CollectionKind kind, std::span<const std::string> paths);

// MKCALENDAR (RFC 4791 section 5.3.1); MKCOL of an address book (RFC 5689, RFC 6352 section 6.3.1).
std::string write_make_calendar(std::string_view display_name);
std::string write_make_address_book(std::string_view display_name);

}  // namespace mailhold::dav
