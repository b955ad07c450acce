// DNS questions and answers as plain values, so that a format can ask without knowing who
// answers. Names are ASCII without a final dot; the packets are only ever parsed in resolverd.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace mailhold::dns {

enum class RecordType : std::uint16_t { a = 1, cname = 5, ptr = 12, mx = 15, txt = 16, aaaa = 28, tlsa = 52 };

struct Question {
  std::string name{};
  RecordType type = RecordType::a;
  friend bool operator==(const Question&, const Question&) = default;
  friend auto operator<=>(const Question&, const Question&) = default;
};

enum class AnswerStatus : std::uint8_t {
  ok,        // at least one record
  nxdomain,  // the name does not exist (also: no name that DNS could carry)
  nodata,    // the name exists without records of this type
  servfail,  // the servers do not answer properly, or ours is away
  timeout,
  bogus,  // DNSSEC says the answer is forged: treat as servfail, never as absent
};

struct Record {
  std::string value{};  // a, aaaa: 4 or 16 bytes; txt: its strings joined; mx, ptr, cname: a name, lower case; tlsa: its bytes
  std::uint16_t preference = 0;  // mx only
  friend bool operator==(const Record&, const Record&) = default;
};

struct Answer {
  AnswerStatus status = AnswerStatus::servfail;
  bool secure = false;                // validated by DNSSEC
  std::uint32_t ttl_seconds = 0;      // how long this answer, also a negative one, may be kept
  std::string canonical_name{};       // the end of the CNAME chain; empty if there was none
  std::vector<Record> records{};      // in the order of the answer; mx sorted by preference
  bool is_temporary_failure() const;  // servfail, timeout, bogus
  bool is_void() const;               // nxdomain, nodata
  friend bool operator==(const Answer&, const Answer&) = default;
};

// How a format asks: synchronous, always answers. The caller bounds the time.
using Lookup = std::function<Answer(const Question&)>;

inline constexpr std::size_t name_bytes_max = 253;
inline constexpr std::size_t record_bytes_max = 16 * 1024;
inline constexpr std::size_t records_max = 256;
inline constexpr std::size_t answer_bytes_max = 64 * 1024;

// Lower case, without the final dot. Nothing unless every label has 1..63 bytes, the whole at most 253,
// and all are printable ASCII without quotes, backslash, brackets and other marks of zone files.
std::optional<std::string> normal_name(std::string_view name);

// The name below in-addr.arpa or ip6.arpa of an address given as 4 or 16 bytes; empty for other sizes.
std::string reverse_name(std::string_view address_bytes);

// "192.0.2.1" or "2001:db8::1" as 4 or 16 bytes; an IPv4-mapped address comes out as 4. No brackets, no port, no zone.
std::optional<std::string> parse_address(std::string_view text);
std::string address_text(std::string_view address_bytes);  // empty unless 4 or 16 bytes

void write(ByteWriter& writer, const Question& question);
void write(ByteWriter& writer, const Answer& answer);
// Refused (corrupt): names that normal_name would not give, more or bigger records than the limits above.
Result<Question> read_question(ByteReader& reader);
Result<Answer> read_answer(ByteReader& reader);

}  // namespace mailhold::dns
