#include "features/recover/export.h"

#include <boost/json.hpp>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"
#include "formats/mbox/mbox.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

namespace json = boost::json;
using mailboxes::ContentForm;
using mailboxes::FolderPath;

constexpr std::size_t folder_name_bytes_max = 180;  // leaves room for what is added, within the 255 of file systems

// CON, PRN, AUX, NUL, COM0-9, LPT0-9, with any extension.
bool is_device_name(std::string_view name) {
  const std::string word = to_lower(name.substr(0, name.find('.')));
  if (word == "con" || word == "prn" || word == "aux" || word == "nul") return true;
  return word.size() == 4 && (word.starts_with("com") || word.starts_with("lpt")) && word[3] >= '0' && word[3] <= '9';
}

std::string percent(char letter) { return "%" + to_hex(std::string_view(&letter, 1)); }

std::string folder_file_name(const FolderPath& path) {
  std::string name;
  for (const std::string& each : path) name += (name.empty() ? "" : "/") + file_name_of(each);
  return name;
}

std::string_view extension_of(ContentForm form) {
  switch (form) {
    case ContentForm::icalendar: return ".ics";
    case ContentForm::vcard: return ".vcf";
    case ContentForm::exchange_stream: return ".fts";
    case ContentForm::mime: break;
  }
  return ".eml";
}

std::string compact_time(Milliseconds at) {
  std::string text = to_iso8601(at).substr(0, 19) + "Z";
  std::erase_if(text, [](char letter) { return letter == '-' || letter == ':'; });
  return text;
}

json::array texts_of(const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& text : texts) {
    std::string safe;  // JSON is UTF-8, and flags are what a server said
    for (std::size_t at = 0; at < text.size();) append_utf8(safe, next_code_point(text, at));
    list.emplace_back(safe);
  }
  return list;
}

}  // namespace

std::string file_name_of(std::string_view folder_name) {
  std::string name;
  for (std::size_t i = 0; i < folder_name.size() && name.size() < folder_name_bytes_max; ++i) {
    const char letter = folder_name[i];
    const auto byte = static_cast<unsigned char>(letter);
    const bool is_edge_dot = letter == '.' && (i == 0 || i + 1 == folder_name.size());
    const bool is_end_blank = letter == ' ' && i + 1 == folder_name.size();
    const bool is_special =
        byte < 0x20 || byte == 0x7F || std::string_view("/\\:*?\"<>|%").find(letter) != std::string_view::npos;
    name += is_special || is_edge_dot || is_end_blank ? percent(letter) : std::string(1, letter);
  }
  // Cut between code points, and whatever is not UTF-8 shows as U+FFFD.
  std::string safe;
  for (std::size_t at = 0; at < name.size();) append_utf8(safe, next_code_point(name, at));
  if (safe.empty()) return "%";
  if (is_device_name(safe)) return percent(safe[0]) + safe.substr(1);
  return safe;
}

std::string Export::unique(std::string name) {
  const std::size_t dot = name.rfind('.');
  const std::size_t cut = dot == std::string::npos || name.find('/', dot) != std::string::npos ? name.size() : dot;
  std::string candidate = name;
  for (int number = 2; !names_.insert(to_lower(candidate)).second; ++number)
    candidate = name.substr(0, cut) + "~" + std::to_string(number) + name.substr(cut);
  return candidate;
}

Status Export::write_file(const std::string& name, Milliseconds at, std::string_view bytes) {
  RETURN_IF_ERROR(zip_.add(name, at, bytes));
  manifest_ += to_hex(crypto::sha256(bytes)) + "  " + name + "\n";
  return done();
}

void Export::add_to_index(const FolderRow& folder, const ItemRow& item, const std::string& file, const Result<Content>& content) {
  json::object line{{"item", item.id.text()}, {"folder", texts_of(folder.folder.path)}};
  if (content) {
    line["file"] = file;
    line["received_at"] = to_iso8601(item.head.received_at);
    line["zone_minutes"] = item.head.zone_minutes;
    line["flags"] = texts_of(item.head.flags);
    line["categories"] = texts_of(item.head.categories);
    line["bytes"] = item.bytes;
    line["sha256"] = to_hex(content->sha256);
    ++report_.items;
    report_.bytes += item.bytes;
  } else {
    line["failed"] = content.error().detail;
    ++report_.failed;
  }
  index_ += json::serialize(line) + "\n";
}

// The exact bytes, or why there are none; an error only where it may be had later.
Result<Export::Content> Export::content_of(const ItemRow& item, const Deadline& deadline) {
  Result<std::string> content = parts_.store.retrieve(item.tenant, item.message, deadline, item.content_ids->is_of());
  if (!content && !content.error().is_temporary()) {
    log_warning("backup", "export: item " + item.id.text() + " does not open: " + std::string(name_of(content.error().kind)));
    return Error{ErrorKind::corrupt, "the backup does not open"};
  }
  if (!content) return content.error();
  std::string sha256 = crypto::sha256(*content);
  if (!item.has_content(sha256)) return Error{ErrorKind::corrupt, "the backup holds another content"};
  return Content{std::move(*content), std::move(sha256)};
}

Status Export::write_folder(const FolderRow& folder, const std::vector<ItemRow>& items, const ExportRequest& request,
                            const Deadline& deadline) {
  const std::string place = folder_file_name(folder.folder.path);
  std::string mbox_name;
  crypto::Sha256 mbox_hash;
  for (const ItemRow& item : items) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the export was stopped"};
    if (item.form == ContentForm::mime && request.form == ExportForm::mbox) continue;
    const Result<Content> content = content_of(item, deadline);
    if (!content && content.error().is_temporary()) return content.error();
    std::string name;
    if (content) {
      name =
          unique(place + "/" + compact_time(item.head.received_at) + "-" + item.id.text() + std::string(extension_of(item.form)));
      RETURN_IF_ERROR(write_file(name, item.head.received_at, content->bytes));
    }
    add_to_index(folder, item, name, content);
  }
  if (request.form != ExportForm::mbox) return done();
  for (const ItemRow& item : items) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "the export was stopped"};
    if (item.form != ContentForm::mime) continue;
    const Result<Content> content = content_of(item, deadline);
    if (!content && content.error().is_temporary()) return content.error();
    if (content) {
      if (mbox_name.empty()) {
        mbox_name = unique(place + ".mbox");
        RETURN_IF_ERROR(zip_.begin(mbox_name, request.as_of));
      }
      const std::string entry = mbox::mbox_entry(content->bytes, item.head.received_at);
      mbox_hash.update(entry);
      RETURN_IF_ERROR(zip_.write(entry));
    }
    add_to_index(folder, item, mbox_name, content);
  }
  if (mbox_name.empty()) return done();
  manifest_ += to_hex(mbox_hash.finish()) + "  " + mbox_name + "\n";
  return zip_.end();
}

Result<ExportReport> Export::run(const ExportRequest& wanted, const Deadline& deadline) {
  ExportRequest request = wanted;
  ASSIGN_OR_RETURN(const Mailbox mailbox, parts_.book.mailbox(request.mailbox, deadline));
  if (request.as_of == 0) request.as_of = mailbox.synced_at;
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, parts_.book.folders_as_of(mailbox, request.as_of, deadline));
  if (folders.empty())
    return Error{ErrorKind::not_found, "nothing was backed up at that moment", "nothing was backed up at that moment"};
  bool is_known = request.from.empty(), has_item = request.item.is_none();
  for (const FolderRow& folder : folders) {
    if (!mailboxes::is_below(folder.folder.path, request.from)) continue;
    is_known = true;
    ASSIGN_OR_RETURN(std::vector<ItemRow> items, parts_.book.items_as_of(folder, request.as_of, deadline));
    if (!request.item.is_none()) std::erase_if(items, [&](const ItemRow& item) { return item.id != request.item; });
    has_item = has_item || !items.empty();
    RETURN_IF_ERROR(write_folder(folder, items, request, deadline));
  }
  if (!is_known) return Error{ErrorKind::not_found, "no such folder at that moment", "no such folder at that moment"};
  if (!has_item) return Error{ErrorKind::not_found, "no such item at that moment", "no such item at that moment"};
  RETURN_IF_ERROR(write_file(std::string(index_name), request.as_of, index_));
  report_.manifest_sha256 = crypto::sha256(manifest_);
  RETURN_IF_ERROR(zip_.add(manifest_name, request.as_of, manifest_));
  ASSIGN_OR_RETURN(const std::string receipt, parts_.receipt_for(report_, deadline));
  RETURN_IF_ERROR(zip_.add(receipt_name, request.as_of, receipt));
  RETURN_IF_ERROR(zip_.finish());
  return report_;
}

}  // namespace mailhold::recover
