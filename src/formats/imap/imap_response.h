// What an IMAP server says, as values: RFC 9051 and RFC 3501 section 7, with CONDSTORE and QRESYNC (RFC 7162), LIST with
// special uses (RFC 6154), UIDPLUS (RFC 4315). Only what a backup needs is kept; ENVELOPE and BODYSTRUCTURE are read past.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mailhold::imap {

// INTERNALDATE: a moment, and the zone it was written in, so that the same text can be written again.
struct InternalDate {
  Milliseconds time = 0;  // whole seconds
  int zone_minutes = 0;   // east of UTC
  friend bool operator==(const InternalDate&, const InternalDate&) = default;
};
std::string write_internal_date(const InternalDate& date);  // "17-Jul-1996 02:44:25 -0700", without quotes
std::optional<InternalDate> parse_internal_date(std::string_view text);

// Both ends included; first <= last.
struct UidRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  friend bool operator==(const UidRange&, const UidRange&) = default;
};
inline constexpr std::size_t uid_ranges_max = 200'000;
// "2,4:7,9"; ranges may stand either way round. Nothing for zero, "*", or more than uid_ranges_max.
std::optional<std::vector<UidRange>> parse_uid_set(std::string_view text);
std::string write_uid_set(const std::vector<std::uint32_t>& rising);  // neighbours become ranges

enum class Condition { none, ok, no, bad, bye, preauth };

// Whether a server that says NO with this code means: later (RFC 5530 section 3, RFC 9051 section 7.1, and what large ones add).
bool means_later(std::string_view code);

struct FetchedMessage {
  std::uint32_t uid = 0;  // 0: the server did not say
  std::optional<std::vector<std::string>> flags{};
  std::optional<InternalDate> date{};
  std::optional<std::uint64_t> size{};  // RFC822.SIZE: a claim
  std::optional<std::uint64_t> modseq{};
  std::optional<std::string> content{};     // BODY[]
  std::uint64_t content_bytes_dropped = 0;  // its announced length, where it was above the limit and was not kept
};

struct ListedFolder {
  std::vector<std::string> attributes{};  // "\\Noselect", "\\Sent"
  std::string separator{};                // one character, or empty: the name has no levels
  std::string name{};                     // as the server spells it: modified UTF-7, or UTF-8
};

struct Response {
  enum class Kind { condition, continuation, capability, list, exists, recent, expunge, fetch, search, vanished, enabled, other };
  Kind kind = Kind::other;
  std::string tag{};  // of the command that it ends; empty: untagged
  Condition condition = Condition::none;
  std::string code{};                       // of "[UIDVALIDITY 3857529045]": in capital letters
  std::vector<std::string> code_words{};    // what follows it
  std::string text{};                       // for people
  std::uint32_t number = 0;                 // exists, recent, expunge
  std::vector<std::string> capabilities{};  // capability, and the code CAPABILITY
  ListedFolder folder{};
  FetchedMessage message{};
  std::vector<std::uint32_t> numbers{};  // search
  std::vector<UidRange> vanished{};
  std::vector<std::string> enabled{};  // in capital letters
};

}  // namespace mailhold::imap
