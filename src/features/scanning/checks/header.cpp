#include "features/scanning/checks/header.h"

#include <algorithm>

#include "base/text.h"
#include "formats/dmarc/dmarc.h"
#include "formats/mail/addresses.h"
#include "formats/mime/text.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t text_bytes_max = 998;
constexpr std::size_t from_max = 16;

void read_facts(Scan& scan) {
  const mime::Part& top = scan.message.parts.front();
  Facts& facts = scan.result.facts;
  if (const mime::Field* subject = scan.message.find(scan.bytes(), top, "subject"))
    facts.subject = mime::decode_header_text(subject->value.of(scan.bytes()), text_bytes_max);
  if (const mime::Field* id = scan.message.find(scan.bytes(), top, "message-id")) {
    std::string text = mime::decode_header_text(id->value.of(scan.bytes()), text_bytes_max);
    if (text.starts_with('<')) text.erase(0, 1);
    if (text.ends_with('>')) text.pop_back();
    facts.message_id = std::move(text);
  }
  for (const mime::Field* from : scan.message.find_all(scan.bytes(), top, "from")) {
    for (std::string& address : mail::addresses_of(from->value.of(scan.bytes()), from_max)) {
      if (facts.from.size() < from_max) facts.from.push_back(std::move(address));
    }
  }
}

// Who the author is, must be the same for every reader (RFC 7489 section 6.6.1).
void judge_authors(Scan& scan) {
  const mime::Part& top = scan.message.parts.front();
  mime::Oddities& oddities = scan.message.oddities;
  const auto from = scan.message.find_all(scan.bytes(), top, "from");
  if (from.empty()) oddities.add(mime::OddityKind::no_from, 0);
  if (from.size() > 1) oddities.add(mime::OddityKind::two_from, 0);
  if (scan.result.facts.from.size() > 1 && from.size() == 1) oddities.add(mime::OddityKind::two_authors, 0);
  if (scan.message.find_all(scan.bytes(), top, "subject").size() > 1) oddities.add(mime::OddityKind::two_subjects, 0);
  if (scan.message.find_all(scan.bytes(), top, "date").size() > 1) oddities.add(mime::OddityKind::two_dates, 0);
}

// What we write into delivered mail, nobody else may have written.
void remove_forged_fields(Scan& scan) {
  const mime::Part& top = scan.message.parts.front();
  bool any = false;
  for (std::uint32_t i = 0; i < top.field_count; ++i) {
    const mime::Field& field = scan.message.fields[top.first_field + i];
    if (!starts_with_ignoring_case(field.name.of(scan.bytes()), "x-mailhold-")) continue;
    scan.result.splices.push_back({field.whole.offset, field.whole.length, {}});
    any = true;
  }
  if (any) scan.reason("header.forged_field", "Fields that pretend to be ours were removed.");
}

}  // namespace

void check_header(Scan& scan) {
  if (scan.message.parts.empty()) return;
  read_facts(scan);
  judge_authors(scan);
  remove_forged_fields(scan);
}

}  // namespace mailhold::scanning
