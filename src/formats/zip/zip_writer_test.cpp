#include "formats/zip/zip_writer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mailhold::zip {
namespace {

// What Python's zipfile says of a file: its names, sizes and the SHA-256 of each content, after its own checks.
constexpr const char* reader = R"(
import hashlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    for entry in archive.infolist():
        print(entry.filename, entry.file_size, hashlib.sha256(archive.read(entry)).hexdigest()[:16], *entry.date_time)
)";

class ZipFile {
 public:
  ZipFile() : path_(std::filesystem::temp_directory_path() / ("zip-" + std::to_string(::getpid()) + ".zip")) {
    file_.open(path_, std::ios::binary | std::ios::trunc);
  }
  ~ZipFile() { std::filesystem::remove(path_); }
  ZipWriter::Sink sink() {
    return [this](std::string_view bytes) -> Status {
      file_ << bytes;
      return done();
    };
  }
  std::string read_by_python() {
    file_.close();
    const std::filesystem::path script = path_.string() + ".py";
    std::ofstream(script) << reader;
    std::FILE* pipe = ::popen(("/usr/bin/python3 " + script.string() + " " + path_.string() + " 2>&1").c_str(), "r");
    std::string said(4096, '\0');
    said.resize(std::fread(said.data(), 1, said.size(), pipe));
    ::pclose(pipe);
    std::filesystem::remove(script);
    return said;
  }

 private:
  std::filesystem::path path_;
  std::ofstream file_;
};

TEST(ZipWriter, is_read_by_another_reader_with_names_times_and_contents) {
  ZipFile file;
  ZipWriter zip(file.sink());
  ASSERT_TRUE(zip.add("Entw\xc3\xbcrfe/a.eml", 1'795'000'001'000, "Subject: a\r\n\r\nhello"));
  ASSERT_TRUE(zip.add("empty", 0, ""));
  ASSERT_TRUE(zip.finish());
  EXPECT_EQ(file.read_by_python(),
            "Entw\xc3\xbcrfe/a.eml 19 e10801416837ff7c 2026 11 18 11 6 40\n"
            "empty 0 e3b0c44298fc1c14 1980 1 1 0 0 0\n");
}

TEST(ZipWriter, takes_one_entry_in_many_pieces) {
  ZipFile file;
  ZipWriter zip(file.sink());
  ASSERT_TRUE(zip.begin("large.mbox", 1'795'000'000'000));
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(zip.write(std::string(1009, static_cast<char>('a' + i % 26))));
  ASSERT_TRUE(zip.end());
  ASSERT_TRUE(zip.finish());
  EXPECT_LT(zip.bytes_written(), 100'000U);
  EXPECT_TRUE(file.read_by_python().starts_with("large.mbox 1009000 "));
}

TEST(ZipWriter, hands_on_the_error_of_its_sink) {
  ZipWriter zip([](std::string_view) -> Status { return Error{ErrorKind::unavailable, "the disk is full"}; });
  EXPECT_EQ(zip.add("a", 0, "b").error().detail, "the disk is full");
}

TEST(ZipWriter, refuses_a_name_without_end) {
  ZipWriter zip([](std::string_view) { return done(); });
  EXPECT_EQ(zip.add(std::string(name_bytes_max + 1, 'a'), 0, "").error().kind, ErrorKind::limit_exceeded);
}

}  // namespace
}  // namespace mailhold::zip
