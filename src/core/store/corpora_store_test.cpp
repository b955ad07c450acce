#include <algorithm>

#include "core/store/store_fixture.h"
#include "corpora.h"

namespace mailhold::store {
namespace {

class KeptCorpora : public StoreFixture {
 protected:
  static bool is_base64_line(std::string_view line) {
    return !line.empty() && std::ranges::all_of(line, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
    });
  }

  // A layout without a parser: runs of lines that look like base64, and every stretch between empty lines.
  static std::vector<BodySpan> simple_layout(std::string_view bytes) {
    std::vector<BodySpan> spans;
    for (std::size_t at = 0; at < bytes.size();) {
      std::size_t end = at, lines = 0;
      while (end < bytes.size()) {
        const std::size_t newline = std::min(bytes.find('\n', end), bytes.size());
        std::string_view line = bytes.substr(end, newline - end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (!is_base64_line(line)) break;
        end = std::min(newline + 1, bytes.size());
        ++lines;
      }
      if (lines >= 5) spans.push_back({at, end - at, BodyEncoding::base64});
      if (lines > 0) {
        at = end;
        continue;
      }
      const std::size_t newline = bytes.find('\n', at);
      const std::size_t next = newline == std::string_view::npos ? bytes.size() : newline + 1;
      const bool begins_text = next - at <= 2;
      if (begins_text && next < bytes.size()) {
        const std::size_t length = std::min<std::size_t>(bytes.size() - next, 2000);
        if (!is_base64_line(bytes.substr(next, 40))) spans.push_back({next, length, BodyEncoding::as_is});
        at = next + (is_base64_line(bytes.substr(next, 40)) ? 0 : length);
        continue;
      }
      at = next;
    }
    return spans;
  }

  void keep_and_compare(const std::filesystem::path& folder, const char* name, std::size_t files_max) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && entry.file_size() < (8U << 20)) paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    if (paths.size() > files_max) paths.resize(files_max);
    std::size_t right = 0, parts_new = 0, parts_shared = 0, bytes_in = 0, bytes_kept = 0;
    for (std::size_t at = 0; at < paths.size(); at += 50) {
      std::vector<std::string> contents;
      for (std::size_t i = at; i < std::min(at + 50, paths.size()); ++i) contents.push_back(read_whole_file(paths[i]));
      std::vector<NewMessage> batch;
      for (const std::string& bytes : contents)
        batch.push_back({tenant, Id::random(), on_day(first_day), bytes, simple_layout(bytes)});
      const Result<std::vector<Kept>> kept = store->keep(batch, soon());
      ASSERT_TRUE(kept) << kept.error().detail;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        parts_new += (*kept)[i].parts_new;
        parts_shared += (*kept)[i].parts_shared;
        bytes_in += contents[i].size();
        bytes_kept += (*kept)[i].bytes_written;
        const Result<std::string> back = store->retrieve(tenant, batch[i].message, soon());
        EXPECT_TRUE(back && *back == contents[i]) << paths[at + i];
        right += back && *back == contents[i];
      }
    }
    std::printf("collection %s: %zu of %zu exact, %zu parts new, %zu shared, %zu bytes in, %zu kept\n", name, right, paths.size(),
                parts_new, parts_shared, bytes_in, bytes_kept);
    EXPECT_GT(paths.size(), 0U);
  }
};

TEST_F(KeptCorpora, spamassassin_mail_comes_back_exactly) {
  CORPUS_OR_RETURN(folder, "spamassassin-public-corpus");
  keep_and_compare(folder, "spamassassin-public-corpus", 1500);
}

TEST_F(KeptCorpora, mimekit_mail_comes_back_exactly) {
  CORPUS_OR_RETURN(folder, "mimekit");
  keep_and_compare(folder, "mimekit", 1500);
}

}  // namespace
}  // namespace mailhold::store
