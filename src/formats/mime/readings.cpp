#include "formats/mime/readings.h"

#include "base/text.h"
#include "formats/mime/transfer.h"

namespace mailhold::mime {
namespace {

bool is_content_field_line(std::string_view text) {
  return (starts_with_ignoring_case(text, "content-type") || starts_with_ignoring_case(text, "content-transfer-encoding")) &&
         text.find(':') < 40;
}

// Whether MIME fields stand at the start of a body, pushed out of the header by an empty line or a stray one.
// A text may well speak of fields: there only the very first line counts, or the one behind what looks like a delimiter.
bool begins_with_content_field(std::string_view body, bool text) {
  int lines = text ? 1 : 4;
  while (lines > 0 && !body.empty()) {
    const std::size_t end = std::min(body.find('\n'), body.size());
    std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    while (!line.empty() && static_cast<unsigned char>(line.front()) <= 32) line.remove_prefix(1);
    if (line.empty()) continue;
    if (is_content_field_line(line)) return true;
    if (!line.starts_with("--")) --lines;
  }
  return false;
}

bool is_sweepable_line(std::string_view line, std::size_t& letters) {
  letters = 0;
  for (const char c : line) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=')
      ++letters;
    else if (c != ' ' && c != '\t' && c != '\r')
      return false;
  }
  return letters > 0;
}

class Visitor {
 public:
  Visitor(std::string_view bytes, Message& message, std::size_t& budget, unsigned nesting,
          const std::function<void(const Reading&)>& take)
      : bytes_(bytes), message_(message), budget_(budget), nesting_(nesting), take_(take) {}

  bool run() {
    for (std::size_t i = 0; i < message_.parts.size() && !exhausted_; ++i) {
      const Part& part = message_.parts[i];
      if (part.is_leaf())
        visit_leaf(i, part);
      else if (part.is_multipart() && part.first_child == no_part)
        visit_text_like(i, part, part.body.of(bytes_));
    }
    if (!message_.oddities.empty()) sweep();
    return !exhausted_;
  }

 private:
  void odd(OddityKind kind, std::size_t part) { message_.oddities.add(kind, part); }

  // False when the budget is used up.
  bool spend(std::size_t count) {
    if (count > budget_) exhausted_ = true;
    budget_ -= std::min(count, budget_);
    return !exhausted_;
  }

  void give(ReadingKind kind, std::size_t part, std::string_view bytes, std::string_view name = {}) {
    if (spend(bytes.size())) take_({kind, part, bytes, name});
  }

  void visit_leaf(std::size_t index, const Part& part) {
    const std::string_view body = part.body.of(bytes_);
    if (begins_with_content_field(body, part.is_text()) && part.type != "text/rfc822-headers" &&
        !part.type.starts_with("message/"))
      odd(OddityKind::content_field_in_body, index);
    if (part.is_message() && part.encoding != Encoding::identity && visit_encoded_message(index, part, body)) return;
    if (part.doubtful_encoding) {
      give(ReadingKind::primary, index, decoded(part, body));
      visit_all_decodings(index, body);
      return;
    }
    switch (part.encoding) {
      case Encoding::base64: visit_base64(index, part, body); break;
      case Encoding::quoted_printable: visit_quoted_printable(index, part, body); break;
      case Encoding::uuencode: visit_uuencoded_part(index, body); break;
      default: visit_text_like(index, part, body); break;
    }
  }

  // A message inside an encoding that RFC 2046 forbids: what its own parts say counts.
  bool visit_encoded_message(std::size_t index, const Part& part, std::string_view body) {
    constexpr unsigned nesting_max = 3;
    const std::string inner = decoded(part, body);
    if (!spend(inner.size())) return true;
    if (nesting_ >= nesting_max) {
      odd(OddityKind::too_deep, index);
      return true;
    }
    Message message = parse(inner);
    const auto take = [&](const Reading& reading) {
      take_({reading.kind == ReadingKind::primary ? ReadingKind::nested : reading.kind, index, reading.bytes, reading.name});
    };
    if (!Visitor(inner, message, budget_, nesting_ + 1, take).run()) exhausted_ = true;
    for (const Oddity& oddity : message.oddities.all()) odd(oddity.kind, index);
    return true;
  }

  static std::string decoded(const Part& part, std::string_view body) {
    if (part.encoding == Encoding::base64) return decode_base64(body).bytes;
    if (part.encoding == Encoding::quoted_printable) return decode_quoted_printable(body).bytes;
    return std::string(body);
  }

  void visit_base64(std::size_t index, const Part& part, std::string_view body) {
    const Decoded primary = decode_base64(body);
    give(ReadingKind::primary, index, primary.bytes);
    const Leniency& leniency = primary.leniency;
    if (!leniency.any()) return;
    const bool text = part.is_text();
    if (leniency.short_lines) odd(OddityKind::base64_short_lines, index);
    if (leniency.odd_length) odd(OddityKind::base64_odd_length, index);
    if (leniency.junk) odd(text ? OddityKind::base64_junk_in_text : OddityKind::base64_junk, index);
    if (leniency.data_after_padding)
      odd(text ? OddityKind::base64_text_after_padding : OddityKind::base64_data_after_padding, index);
    if (!leniency.junk && !leniency.data_after_padding && !leniency.odd_length) {
      visit_base64_reading(index, body, primary.bytes, Base64Reading::by_line);
      return;
    }
    visit_base64_readings(index, body, primary.bytes);
  }

  // The work counts, whether or not another reading comes of it.
  void visit_base64_reading(std::size_t index, std::string_view body, std::string_view primary, Base64Reading reading) {
    if (!spend(body.size() / 2)) return;
    const std::string bytes = decode_base64(body, reading).bytes;
    if (bytes != primary) give(ReadingKind::alternate, index, bytes);
  }

  void visit_base64_readings(std::size_t index, std::string_view body, std::string_view primary) {
    using enum Base64Reading;
    for (const Base64Reading reading :
         {until_padding, ignores_padding, padding_is_zero, until_junk, whole_lines, by_line, by_group, url_alphabet}) {
      if (exhausted_) return;
      visit_base64_reading(index, body, primary, reading);
    }
  }

  void visit_quoted_printable(std::size_t index, const Part& part, std::string_view body) {
    const Decoded primary = decode_quoted_printable(body);
    give(ReadingKind::primary, index, primary.bytes);
    visit_embedded(index, part, primary.bytes);
    if (primary.leniency.padded_break) odd(OddityKind::qp_padded_break, index);
    if (!part.is_text())
      give(ReadingKind::alternate, index, decode_quoted_printable(body, QuotedPrintableReading::only_escapes).bytes);
    if (!primary.leniency.illegal_escape) return;
    odd(part.is_text() ? OddityKind::qp_illegal_in_text : OddityKind::qp_illegal, index);
    visit_quoted_printable_readings(index, body);
  }

  void visit_quoted_printable_readings(std::size_t index, std::string_view body) {
    using enum QuotedPrintableReading;
    for (const QuotedPrintableReading reading :
         {drops_equals, drops_escape, forces_hex, soft_everywhere, until_illegal, only_escapes}) {
      if (exhausted_) return;
      give(ReadingKind::alternate, index, decode_quoted_printable(body, reading).bytes);
    }
  }

  void visit_all_decodings(std::size_t index, std::string_view body) {
    give(ReadingKind::alternate, index, body);
    const Decoded base64 = decode_base64(body);
    give(ReadingKind::alternate, index, base64.bytes);
    visit_base64_readings(index, body, base64.bytes);
    give(ReadingKind::alternate, index, decode_quoted_printable(body).bytes);
    visit_quoted_printable_readings(index, body);
    for (const UuencodedFile& file : find_uuencoded(body)) give(ReadingKind::embedded, index, file.bytes, file.name);
  }

  void visit_uuencoded_part(std::size_t index, std::string_view body) {
    const auto files = find_uuencoded(body);
    const std::string headless = files.empty() ? decode_uuencoded_lines(body) : std::string();
    give(ReadingKind::primary, index, files.empty() ? std::string_view(headless) : std::string_view(files.front().bytes));
    for (const UuencodedFile& file : files) give(ReadingKind::embedded, index, file.bytes, file.name);
  }

  void visit_text_like(std::size_t index, const Part& part, std::string_view body) {
    give(ReadingKind::primary, index, body);
    if (part.is_text() && body.find('\0') != std::string_view::npos) odd(OddityKind::nul_in_body, index);
    visit_embedded(index, part, body);
  }

  // What old software finds inside a plain text.
  void visit_embedded(std::size_t index, const Part& part, std::string_view text) {
    if (part.type == "application/mac-binhex40" ||
        text.find("(This file must be converted with BinHex") != std::string_view::npos)
      odd(OddityKind::binhex, index);
    if (!part.is_text() && !part.is_multipart() && part.parent != no_part) return;
    if (text.find("=ybegin ") != std::string_view::npos && text.find("\n=yend ") != std::string_view::npos)
      odd(OddityKind::yenc_in_text, index);
    if (text.find("begin ") == std::string_view::npos) return;
    for (const UuencodedFile& file : find_uuencoded(text)) {
      odd(OddityKind::uuencode_in_text, index);
      give(ReadingKind::embedded, index, file.bytes, file.name);
    }
  }

  // All runs of base64 lines of the message, whatever part they stand in.
  void sweep() {
    std::string run;
    std::size_t letters = 0;
    for (std::size_t at = 0; at < bytes_.size() && !exhausted_;) {
      const std::size_t end = std::min(bytes_.find('\n', at), bytes_.size());
      const std::string_view line = bytes_.substr(at, end - at);
      at = end + 1;
      if (is_sweepable_line(line, letters)) {
        run += line;
        continue;
      }
      flush_sweep(run);
    }
    flush_sweep(run);
  }

  void flush_sweep(std::string& run) {
    constexpr std::size_t shortest = 40;
    if (run.size() >= shortest && !exhausted_) {
      give(ReadingKind::sweep, 0, decode_base64(run).bytes);
    }
    run.clear();
  }

  std::string_view bytes_;
  Message& message_;
  std::size_t& budget_;  // shared with the visitors of messages inside
  unsigned nesting_;
  std::function<void(const Reading&)> take_;
  bool exhausted_ = false;
};

}  // namespace

bool visit_readings(std::string_view bytes, Message& message, const ReadingLimits& limits,
                    const std::function<void(const Reading&)>& take) {
  std::size_t budget = limits.decoded_bytes_max;
  return Visitor(bytes, message, budget, 0, take).run();
}

}  // namespace mailhold::mime
