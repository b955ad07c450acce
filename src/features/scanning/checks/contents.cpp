#include "features/scanning/checks/contents.h"

#include <algorithm>

#include "base/text.h"
#include "features/scanning/checks/file_types.h"
#include "features/scanning/checks/zip_archive.h"
#include "formats/mail/message_links.h"
#include "formats/mime/parameters.h"
#include "formats/mime/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::scanning {
namespace {

constexpr std::size_t attachments_max = 200;
constexpr std::size_t name_bytes_max = 255;
constexpr unsigned archive_depth_max = 3;
constexpr std::size_t names_looked_at = 8;

// The standard test file of the antivirus industry, in two pieces so that this file is not one.
const std::string& test_virus() {
  static const std::string text = std::string("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-") + "ANTIVIRUS-TEST-FILE!$H+H*";
  return text;
}

// ASCII written as UTF-16 and read in the other byte order, as some readers do: U+6600 was 'f'. All such letters take three
// bytes of UTF-8. Empty: the name is not of that kind.
std::string with_bytes_swapped(std::string_view utf8) {
  std::string swapped;
  for (std::size_t i = 0; i < utf8.size(); i += 3) {
    if (i + 3 > utf8.size()) return {};
    const auto byte = [&](std::size_t n) { return static_cast<unsigned>(static_cast<unsigned char>(utf8[i + n])); };
    const unsigned letter = (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    if ((byte(0) & 0xf0) != 0xe0 || (letter & 0xff) != 0 || letter >> 8 < 0x20 || letter >> 8 > 0x7e) return {};
    swapped.push_back(static_cast<char>(letter >> 8));
  }
  return swapped;
}

// Every name that a reader may show for the part, the best first.
std::vector<std::string> names_of(std::string_view bytes, const mime::Message& message, const mime::Part& part) {
  std::vector<std::string> names;
  const auto add_name = [&names](const std::string& name) {
    std::string clean = mime::decode_header_text(name, name_bytes_max);
    if (!clean.empty() && names.size() < names_looked_at && std::find(names.begin(), names.end(), clean) == names.end())
      names.push_back(std::move(clean));
  };
  const auto add = [&](std::string_view field_name, std::string_view parameter) {
    for (const mime::Field* field : message.find_all(bytes, part, field_name)) {
      const mime::ParameterizedValue value = mime::parse_parameters(field->value.of(bytes));
      for (const std::string& name : mime::readings_of(value, parameter)) {
        add_name(name);
        if (!names.empty()) add_name(with_bytes_swapped(names.back()));
      }
      if (!value.syntax && !value.comment && !value.escaped) continue;
      for (const std::string& name : mime::careless_readings_of(field->value.of(bytes), parameter)) add_name(name);
    }
  };
  add("content-disposition", "filename");
  add("content-type", "name");
  return names;
}

bool is_disposed_as_attachment(std::string_view bytes, const mime::Message& message, const mime::Part& part) {
  const mime::Field* field = message.find(bytes, part, "content-disposition");
  return field != nullptr && starts_with_ignoring_case(trim(field->value.of(bytes)), "attachment");
}

std::string_view code_of(Danger danger) {
  switch (danger) {
    case Danger::executable: return "attachment.executable";
    case Danger::script: return "attachment.script";
    case Danger::shortcut: return "attachment.shortcut";
    case Danger::disk_image: return "attachment.disk_image";
    case Danger::macros: return "attachment.macros";
    case Danger::none: break;
  }
  return "attachment";
}

}  // namespace

Contents::Contents(Scan& scan)
    : scan_(scan), clamd_(scan.answers, scan.deadline), unpacked_left_(scan.limits.decoded_bytes_max) {}

void Contents::run() {
  const bool whole = mime::visit_readings(scan_.bytes(), scan_.message, {scan_.limits.decoded_bytes_max},
                                          [this](const mime::Reading& reading) { take(reading); });
  if (!whole) scan_.unscannable("scan.too_many_bytes", "The decoded contents are more than is looked at.");
  // Also as it came: clamd reads mail by itself, and differently.
  look_for_test_virus(scan_.bytes());
  if (!scan_.request.ask_clamd) return;
  const bool worth_it =
      scan_.message.parts.size() > 1 || !scan_.result.facts.attachments.empty() || !scan_.message.oddities.empty();
  if (worth_it) clamd_.show(scan_.bytes());
  const VirusScanner::Verdict verdict = clamd_.finish();
  if (!verdict.virus.empty() && scan_.result.findings.virus.empty()) scan_.result.findings.virus = verdict.virus;
  if (!verdict.virus.empty()) scan_.reason("virus.clamd", "clamd found a virus.");
  if (verdict.too_big) scan_.reason("virus.too_big", "Contents beyond clamd's size limit were not shown to it.");
  if (verdict.missing) {
    scan_.result.findings.virus_scan_missing = true;
    scan_.reason("virus.clamd_away", "clamd did not answer.");
  }
}

void Contents::look_for_test_virus(std::string_view bytes) {
  if (bytes.find(test_virus()) == std::string_view::npos) return;
  if (scan_.result.findings.virus.empty()) scan_.result.findings.virus = "Eicar-Test-File";
  scan_.reason("virus.test_file", "The EICAR test file was found.");
}

void Contents::take(const mime::Reading& reading) {
  look_for_test_virus(reading.bytes);
  const mime::Part& part = scan_.message.parts[reading.part];
  std::string type;
  switch (reading.kind) {
    case mime::ReadingKind::primary: take_leaf(reading, part); return;
    case mime::ReadingKind::embedded:
      look_into(reading.bytes, reading.name, 0, type);
      list_attachment(mime::decode_header_text(reading.name, name_bytes_max), type, reading.bytes);
      break;
    case mime::ReadingKind::nested:
    case mime::ReadingKind::alternate:
    case mime::ReadingKind::sweep: look_into(reading.bytes, "", 0, type); break;
  }
  if (scan_.request.ask_clamd) clamd_.show(reading.bytes);
}

void Contents::take_leaf(const mime::Reading& reading, const mime::Part& part) {
  const std::vector<std::string> names = names_of(scan_.bytes(), scan_.message, part);
  std::string type;
  if (names.empty())
    look_into(reading.bytes, "", 0, type);
  else
    look_into(reading.bytes, names.front(), 0, type);
  const FileType by_content = type_of_content(reading.bytes);
  for (const std::string& name : names) {
    const FileType by_name = type_of_name(name);
    note_danger(static_cast<std::uint8_t>(by_name.danger), by_name.type, false);
    if (has_double_extension(name))
      scan_.reason("attachment.double_extension", "An attachment's name hides its dangerous extension behind a harmless one.");
    if (name_disagrees(by_name, by_content)) scan_.reason("attachment.disguised", "An attachment is not what its name says.");
  }
  if (names.size() > 1) {
    const FileType first = type_of_name(names[0]);
    for (const std::string& name : names) {
      if (type_of_name(name).type != first.type) scan_.message.oddities.add(mime::OddityKind::two_names, reading.part);
    }
  }
  const bool text = part.type == "text/plain" || part.type == "text/html";
  const bool attached = !names.empty() || is_disposed_as_attachment(scan_.bytes(), scan_.message, part);
  if (text && !attached) return;
  if (part.is_multipart() || part.body.empty()) return;
  list_attachment(names.empty() ? std::string_view() : std::string_view(names.front()), type, reading.bytes);
  // Under another name that would make it another thing, too: a rule about names must see both.
  for (const std::string& name : names) {
    const std::string by_name = type_of_name(name).type;
    if (!by_name.empty() && by_name != type_of_name(names.front()).type) list_attachment(name, type, reading.bytes);
  }
  if (by_content.type == "text/html" && attached) scan_.reason("attachment.html", "An attachment is an HTML page.");
  if (scan_.request.ask_clamd) clamd_.show(reading.bytes);
}

void Contents::list_attachment(std::string_view name, std::string_view type, std::string_view bytes) {
  auto& attachments = scan_.result.facts.attachments;
  if (attachments.size() >= attachments_max) {
    scan_.reason("attachment.too_many", "There are more attachments than are listed.");
    return;
  }
  attachments.push_back({std::string(name), std::string(type), bytes.size(), to_hex(crypto::sha256(bytes))});
}

void Contents::note_danger(std::uint8_t value, std::string_view type, bool in_archive) {
  const auto danger = static_cast<Danger>(value);
  if (danger == Danger::none) return;
  scan_.reason(code_of(danger), in_archive
                                    ? "An archive contains a file that runs or starts something when opened: " + std::string(type)
                                    : "An attachment runs or starts something when opened: " + std::string(type));
  std::string& blocked = scan_.result.findings.blocked_type;
  if (danger != Danger::macros && (blocked.empty() || danger == Danger::executable)) blocked = type;
}

void Contents::look_into(std::string_view bytes, std::string_view name, unsigned depth, std::string& type) {
  const FileType found = type_of_content(bytes);
  type = found.type;
  note_danger(static_cast<std::uint8_t>(found.danger), found.type, depth > 0);
  if (depth > 0) {
    const FileType by_name = type_of_name(name);
    note_danger(static_cast<std::uint8_t>(by_name.danger), by_name.type, true);
    look_for_test_virus(bytes);
  }
  if (found.zip) look_into_zip(bytes, depth, type);
}

void Contents::look_into_zip(std::string_view archive, unsigned depth, std::string& type) {
  if (depth >= archive_depth_max)
    return scan_.unscannable("scan.archive_too_deep", "Archives are nested deeper than is looked at.");
  const ZipListing listing = list_zip(archive, entries_left_);
  entries_left_ -= std::min(entries_left_, listing.entries.size());
  if (listing.truncated) scan_.unscannable("scan.archive_too_many_files", "Archives hold more files than are looked at.");
  if (listing.two_listings) scan_.reason("attachment.two_listings", "An archive lists other files than it holds.");
  for (const ZipEntry& entry : listing.entries) {
    if (entry.name == "[Content_Types].xml") type = "application/vnd.openxmlformats-officedocument";
    if (entry.name.ends_with("vbaProject.bin"))
      note_danger(static_cast<std::uint8_t>(Danger::macros), "application/vnd.ms-office.vbaproject", depth > 0);
    if (entry.encrypted)
      scan_.reason("attachment.encrypted_archive", "An archive is encrypted: its contents were not looked at.");
    const FileType by_name = type_of_name(entry.name);
    note_danger(static_cast<std::uint8_t>(by_name.danger), by_name.type, true);
    if (has_double_extension(entry.name))
      scan_.reason("attachment.double_extension", "A name in an archive hides its dangerous extension behind a harmless one.");
    const auto unpacked = unzip(archive, entry, unpacked_left_);
    if (!unpacked) continue;
    unpacked_left_ -= std::min(unpacked_left_, unpacked->bytes.size());
    if (unpacked->too_big) return scan_.unscannable("scan.archive_too_big", "Archives unpack to more than is looked at.");
    std::string inner;
    look_into(unpacked->bytes, entry.name, depth + 1, inner);
  }
}

}  // namespace mailhold::scanning
