// Export: items of a backed-up mailbox as of a moment, as one ZIP file that other programs read, with an index, a manifest of
// hashes and the ledger's receipt for it. Nothing is kept of it here: the bytes go to the sink as they are made.
// An item that does not open is named in the index and makes the export incomplete; it never stops the others.
//
// Design: docs/formats/export.md
#pragma once

#include <atomic>
#include <functional>

#include "core/store/message_store.h"
#include "features/mailboxes/mailbox.h"
#include "features/recover/backup_book.h"
#include "formats/zip/zip_writer.h"

namespace mailhold::recover {

enum class ExportForm : std::uint8_t { files = 1, mbox = 2 };

struct ExportRequest {
  Id mailbox = {};
  Milliseconds as_of = 0;           // 0: the last sync
  mailboxes::FolderPath from = {};  // this folder and what is below it; empty: all
  Id item = {};                     // only this one; none: all
  ExportForm form = ExportForm::files;
};

struct ExportReport {
  std::uint64_t items = 0;   // written
  std::uint64_t failed = 0;  // named in the index
  std::uint64_t bytes = 0;   // of their contents
  std::string manifest_sha256;
};

class Export {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    // The receipt, in its encoding, of a ledger entry that names the manifest.
    std::function<Result<std::string>(const ExportReport& report, const Deadline& deadline)> receipt_for;
  };
  Export(Parts parts, zip::ZipWriter::Sink sink) : parts_(std::move(parts)), zip_(std::move(sink)) {}

  // The ZIP is complete when this returns without an error. not_found: no such folder, item or moment.
  Result<ExportReport> run(const ExportRequest& request, const Deadline& deadline);

 private:
  Status write_folder(const FolderRow& folder, const std::vector<ItemRow>& items, const ExportRequest& request,
                      const Deadline& deadline);
  struct Content {
    std::string bytes, sha256;
  };
  Result<Content> content_of(const ItemRow& item, const Deadline& deadline);
  Status write_file(const std::string& name, Milliseconds at, std::string_view bytes);
  void add_to_index(const FolderRow& folder, const ItemRow& item, const std::string& file, const Result<Content>& content);
  std::string unique(std::string name);

  const Parts parts_;
  zip::ZipWriter zip_;
  ExportReport report_;
  std::string index_;
  std::string manifest_;
  std::set<std::string> names_;  // in lower case
};

// A folder's name as one name of a path that is safe on every system, docs/formats/export.md.
std::string file_name_of(std::string_view folder_name);

inline constexpr std::string_view index_name = "INDEX.jsonl";
inline constexpr std::string_view manifest_name = "MANIFEST.sha256";
inline constexpr std::string_view receipt_name = "MANIFEST.receipt";

}  // namespace mailhold::recover
