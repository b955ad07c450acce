// DavMark: where the next sync of a collection goes on.
//
// Bytes: docs/formats/mailbox_backup.md, "Marks"
#pragma once

#include <string>
#include <string_view>

namespace mailhold::mailboxes {

struct DavMark {
  // While a listing is read step by step: the name up to which it was handed over. What changes meanwhile is told by the token,
  // or seen by the ctag, both of which are of before the listing.
  bool is_listing = false;
  std::string last_name{};
  std::string sync_token{};  // empty: the server has none
  std::string ctag{};        // empty: the server has none
  bool is_none() const { return !is_listing && sync_token.empty() && ctag.empty(); }
};

// Empty if a token is longer than a mark may be: then everything is listed anew the next time.
std::string write_mark(const DavMark& mark);
DavMark parse_dav_mark(std::string_view bytes);  // none for what is no such mark

}  // namespace mailhold::mailboxes
