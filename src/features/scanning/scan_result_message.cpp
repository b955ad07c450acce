// The result frame of scan_messages.h: written in the worker, read in the gateway as hostile.
#include <algorithm>

#include "base/bytes.h"
#include "base/utf8.h"
#include "features/scanning/scan_messages.h"
#include "formats/mail/splice.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t reasons_max = 64;
constexpr std::size_t code_bytes_max = 64;
constexpr std::size_t reason_bytes_max = 512;
constexpr std::size_t text_bytes_max = 998;
constexpr std::size_t name_bytes_max = 255;
constexpr std::size_t word_bytes_max = 128;
constexpr std::size_t field_bytes_max = 32u << 10;
constexpr std::size_t field_line_bytes_max = 998;
constexpr std::size_t from_max = 16;
constexpr std::size_t attachments_max = 200;
constexpr std::size_t splices_max = 50'000;
constexpr std::size_t spans_max = 100'000;

enum Flag : std::uint8_t {
  dmarc_reject = 1,
  dmarc_quarantine = 2,
  malformed = 4,
  unscannable = 8,
  virus_scan_missing = 16,
  protected_content = 32
};

// Reads values and remembers whether one was out of its bounds.
class Checked {
 public:
  explicit Checked(std::string_view bytes) : reader(bytes) {}

  void require(bool holds) { holds_ &= holds; }
  bool holds() const { return holds_ && reader.ok(); }

  // Text for people: UTF-8 without control characters.
  std::string text(std::size_t bytes_max) {
    std::string value(reader.text());
    require(value.size() <= bytes_max && is_utf8(value));
    require(std::none_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }));
    return value;
  }
  // Names that go into logs and comparisons: visible ASCII of a small set.
  std::string word(std::size_t bytes_max = word_bytes_max) {
    std::string value(reader.text());
    require(value.size() <= bytes_max);
    require(std::all_of(value.begin(), value.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::string_view("._-/+").find(c) != std::string_view::npos;
    }));
    return value;
  }
  // A folded header value: lines of visible ASCII, each further one beginning with a blank.
  std::string field() {
    std::string value(reader.text());
    require(value.size() <= field_bytes_max);
    std::size_t line = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const auto byte = static_cast<unsigned char>(value[i]);
      if (value[i] == '\r') {
        require(i + 2 < value.size() && value[i + 1] == '\n' && (value[i + 2] == ' ' || value[i + 2] == '\t'));
        i += 1;
        line = 0;
      } else {
        require((byte >= 32 && byte < 127) || value[i] == '\t');
        require(++line <= field_line_bytes_max);
      }
    }
    return value;
  }
  std::uint32_t count(std::size_t item_bytes_min, std::size_t most) {
    const std::uint32_t value = reader.count(item_bytes_min);
    require(value <= most);
    return holds() ? value : 0;
  }

  ByteReader reader;

 private:
  bool holds_ = true;
};

void write_findings(ByteWriter& writer, const Findings& findings) {
  std::uint8_t flags = 0;
  if (findings.dmarc_reject) flags |= dmarc_reject;
  if (findings.dmarc_quarantine) flags |= dmarc_quarantine;
  if (findings.malformed) flags |= malformed;
  if (findings.unscannable) flags |= unscannable;
  if (findings.virus_scan_missing) flags |= virus_scan_missing;
  if (findings.protected_content) flags |= protected_content;
  writer.u8(flags).text(findings.virus).text(findings.blocked_type);
}

Findings read_findings(Checked& in) {
  Findings findings;
  const std::uint8_t flags = in.reader.u8();
  in.require(flags < 64);
  findings.dmarc_reject = (flags & dmarc_reject) != 0;
  findings.dmarc_quarantine = (flags & dmarc_quarantine) != 0;
  findings.malformed = (flags & malformed) != 0;
  findings.unscannable = (flags & unscannable) != 0;
  findings.virus_scan_missing = (flags & virus_scan_missing) != 0;
  findings.protected_content = (flags & protected_content) != 0;
  findings.virus = in.word();
  findings.blocked_type = in.word();
  return findings;
}

void write_facts(ByteWriter& writer, const Facts& facts) {
  writer.text(facts.subject).text(facts.message_id).u32(facts.link_count).u32(static_cast<std::uint32_t>(facts.from.size()));
  for (const std::string& address : facts.from) writer.text(address);
  writer.u32(static_cast<std::uint32_t>(facts.attachments.size()));
  for (const Attachment& attachment : facts.attachments)
    writer.text(attachment.name).text(attachment.type).u64(attachment.size).text(attachment.sha256);
}

Facts read_facts(Checked& in) {
  Facts facts;
  facts.subject = in.text(text_bytes_max);
  facts.message_id = in.text(text_bytes_max);
  facts.link_count = in.reader.u32();
  for (std::uint32_t left = in.count(4, from_max); left > 0; --left) facts.from.push_back(in.text(text_bytes_max));
  for (std::uint32_t left = in.count(20, attachments_max); left > 0; --left) {
    Attachment attachment;
    attachment.name = in.text(name_bytes_max);
    attachment.type = in.word();
    attachment.size = in.reader.u64();
    attachment.sha256 = in.word(64);
    facts.attachments.push_back(std::move(attachment));
  }
  return facts;
}

std::string read_outcome(Checked& in) {
  std::string value = in.word();
  constexpr std::string_view words[] = {"none", "pass", "fail", "softfail", "neutral", "temperror", "permerror", "policy"};
  in.require(std::find(std::begin(words), std::end(words), value) != std::end(words));
  return value;
}

Authentication read_authentication(Checked& in) {
  Authentication authentication;
  authentication.spf = read_outcome(in);
  authentication.dkim = read_outcome(in);
  authentication.dmarc = read_outcome(in);
  authentication.dmarc_policy = in.word(16);
  authentication.field = in.field();
  return authentication;
}

Result<std::uint64_t> read_splices(Checked& in, std::vector<Splice>& splices, std::uint64_t message_size, const Limits& limits) {
  std::uint64_t replaced = 0, removed = 0;
  for (std::uint32_t left = in.count(20, splices_max); left > 0 && in.holds(); --left) {
    Splice splice;
    splice.offset = in.reader.u64();
    splice.length = in.reader.u64();
    splice.replacement = in.reader.text();
    replaced += splice.replacement.size();
    removed += splice.length;
    splices.push_back(std::move(splice));
  }
  RETURN_IF_ERROR(mail::check_splices(message_size, splices));
  in.require(replaced <= limits.replaced_bytes_max);
  return message_size + replaced - removed;
}

void read_layout(Checked& in, std::vector<BodySpan>& layout, std::uint64_t final_size) {
  std::uint64_t at = 0;
  for (std::uint32_t left = in.count(17, spans_max); left > 0 && in.holds(); --left) {
    BodySpan span;
    span.offset = in.reader.u64();
    span.length = in.reader.u64();
    const std::uint8_t base64 = in.reader.u8();
    span.base64 = base64 != 0;
    in.require(base64 <= 1 && span.offset >= at && span.offset <= final_size && span.length <= final_size - span.offset);
    at = span.offset + span.length;
    layout.push_back(span);
  }
}

}  // namespace

std::string encode_result(const ScanResult& result) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(FrameKind::scan));
  write_findings(writer, result.findings);
  writer.u32(static_cast<std::uint32_t>(result.reasons.size()));
  for (const Reason& reason : result.reasons) writer.text(reason.code).text(reason.text);
  write_facts(writer, result.facts);
  const Authentication& authentication = result.authentication;
  writer.text(authentication.spf)
      .text(authentication.dkim)
      .text(authentication.dmarc)
      .text(authentication.dmarc_policy)
      .text(authentication.field);
  writer.u32(static_cast<std::uint32_t>(result.splices.size()));
  for (const Splice& splice : result.splices) writer.u64(splice.offset).u64(splice.length).text(splice.replacement);
  writer.u32(static_cast<std::uint32_t>(result.layout.size()));
  for (const BodySpan& span : result.layout) writer.u64(span.offset).u64(span.length).u8(span.base64 ? 1 : 0);
  return writer.take();
}

Result<ScanResult> parse_result(std::string_view frame, std::uint64_t message_size, const Limits& limits) {
  const Error refused{ErrorKind::corrupt, "scanning frame: the result is out of bounds"};
  Checked in(frame);
  in.require(in.reader.u8() == static_cast<std::uint8_t>(FrameKind::scan));
  ScanResult result;
  result.findings = read_findings(in);
  for (std::uint32_t left = in.count(8, reasons_max); left > 0; --left) {
    std::string code = in.word(code_bytes_max);
    result.reasons.push_back({std::move(code), in.text(reason_bytes_max)});
  }
  result.facts = read_facts(in);
  result.authentication = read_authentication(in);
  if (!in.holds()) return refused;
  ASSIGN_OR_RETURN(const std::uint64_t final_size, read_splices(in, result.splices, message_size, limits));
  if (!in.holds()) return refused;
  read_layout(in, result.layout, final_size);
  RETURN_IF_ERROR(in.reader.finish());
  if (!in.holds()) return refused;
  return result;
}

}  // namespace mailhold::scanning
