#include "features/scanning/checks/file_types.h"

#include <magic.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace mailhold::scanning {
namespace {

magic_t magic = nullptr;  // one per process; a worker has one thread

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view type;
  Danger danger = Danger::none;
};

using namespace std::string_view_literals;

constexpr Signature signatures[] = {
    {0, "%PDF-"sv, "application/pdf"},
    {0, "\x89PNG\r\n\x1a\n"sv, "image/png"},
    {0, "\xFF\xD8\xFF"sv, "image/jpeg"},
    {0, "GIF87a"sv, "image/gif"},
    {0, "GIF89a"sv, "image/gif"},
    {0,
     "\x7F"
     "ELF"sv,
     "application/x-executable", Danger::executable},
    {0, "\xCA\xFE\xBA\xBE"sv, "application/java-vm", Danger::executable},  // also universal Mach-O
    {0, "\xCF\xFA\xED\xFE"sv, "application/x-mach-binary", Danger::executable},
    {0, "\xCE\xFA\xED\xFE"sv, "application/x-mach-binary", Danger::executable},
    {0, "\xFE\xED\xFA\xCF"sv, "application/x-mach-binary", Danger::executable},
    {0, "\xFE\xED\xFA\xCE"sv, "application/x-mach-binary", Danger::executable},
    {0, "\x4C\x00\x00\x00\x01\x14\x02\x00"sv, "application/x-ms-shortcut", Danger::shortcut},
    {0, "Rar!\x1A\x07"sv, "application/vnd.rar"},
    {0, "7z\xBC\xAF\x27\x1C"sv, "application/x-7z-compressed"},
    {0, "\x1F\x8B"sv, "application/gzip"},
    {0, "BZh"sv, "application/x-bzip2"},
    {0,
     "\xFD"
     "7zXZ\x00"sv,
     "application/x-xz"},
    {0, "\x28\xB5\x2F\xFD"sv, "application/zstd"},
    {0, "MSCF"sv, "application/vnd.ms-cab-compressed"},
    {0, "ITSF"sv, "application/vnd.ms-htmlhelp", Danger::script},
    {0, "{\\rtf"sv, "text/rtf"},
    {0, "conectix"sv, "application/x-virtualbox-vhd", Danger::disk_image},
    {0, "vhdxfile"sv, "application/x-virtualbox-vhdx", Danger::disk_image},
    {0x8001, "CD001"sv, "application/x-iso9660-image", Danger::disk_image},
    {0, "!BDN"sv, "application/vnd.ms-outlook-pst"},
    {0, "\x78\x9F\x3E\x22"sv, "application/vnd.ms-tnef"},
    {257, "ustar"sv, "application/x-tar"},
    {4, "ftyp"sv, "video/mp4"},
    {0, "OggS"sv, "application/ogg"},
    {0, "ID3"sv, "audio/mpeg"},
    {0, "BEGIN:VCALENDAR"sv, "text/calendar"},
    {0, "BEGIN:VCARD"sv, "text/vcard"},
};

bool stands_at(std::string_view bytes, std::size_t offset, std::string_view what) {
  return bytes.size() >= offset + what.size() && std::memcmp(bytes.data() + offset, what.data(), what.size()) == 0;
}

// Two letters are too few: the header of an executable must stand where the first one says, or the rest be binary.
bool is_dos_executable(std::string_view bytes) {
  if (!bytes.starts_with("MZ") || bytes.size() < 64) return false;
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  const std::size_t header = byte(60) | byte(61) << 8 | byte(62) << 16 | byte(63) << 24;
  for (const std::string_view mark : {"PE\0\0"sv, "NE"sv, "LE"sv, "LX"sv}) {
    if (header < bytes.size() && stands_at(bytes, header, mark)) return true;
  }
  return bytes.substr(0, 64).find('\0') != std::string_view::npos;
}

FileType ole_type(std::string_view bytes) {
  constexpr std::string_view project = "_\0V\0B\0A\0_\0P\0R\0O\0J\0E\0C\0T\0"sv, macros = "M\0a\0c\0r\0o\0s\0"sv;
  const std::string_view head = bytes.substr(0, 1u << 20);
  const bool has_macros = head.find(project) != std::string_view::npos || head.find(macros) != std::string_view::npos;
  return {"application/x-ole-storage", has_macros ? Danger::macros : Danger::none};
}

bool begins_as_html(std::string_view bytes) {
  std::string_view text = trim(bytes.substr(0, 512));
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (const std::string_view tag : {"<!doctype html", "<html", "<head", "<body", "<script", "<svg", "<iframe"}) {
    if (starts_with_ignoring_case(text, tag)) return true;
  }
  return false;
}

bool is_text(std::string_view bytes) {
  for (const char c : bytes.substr(0, 4096)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 32 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 27) return false;
  }
  return true;
}

std::string type_by_magic(std::string_view bytes) {
  if (magic == nullptr) return "application/octet-stream";
  const std::string_view head = bytes.substr(0, 64u << 10);
  const char* type = ::magic_buffer(magic, head.data(), head.size());
  return type == nullptr ? "application/octet-stream" : type;
}

Danger danger_of_magic(std::string_view type) {
  if (type == "application/x-dosexec" || type == "application/x-executable" || type == "application/x-sharedlib" ||
      type == "application/x-pie-executable" || type == "application/x-mach-binary") {
    return Danger::executable;
  }
  return Danger::none;
}

struct Extension {
  std::string_view name;
  std::string_view type;
  Danger danger = Danger::none;
};

constexpr Extension extensions[] = {
    {"exe", "application/x-dosexec", Danger::executable},
    {"com", "application/x-dosexec", Danger::executable},
    {"scr", "application/x-dosexec", Danger::executable},
    {"pif", "application/x-dosexec", Danger::executable},
    {"cpl", "application/x-dosexec", Danger::executable},
    {"dll", "application/x-dosexec", Danger::executable},
    {"sys", "application/x-dosexec", Danger::executable},
    {"ocx", "application/x-dosexec", Danger::executable},
    {"xll", "application/x-dosexec", Danger::executable},
    {"msi", "application/x-msi", Danger::executable},
    {"msp", "application/x-msi", Danger::executable},
    {"mst", "application/x-msi", Danger::executable},
    {"jar", "application/java-archive", Danger::executable},
    {"apk", "application/vnd.android.package-archive", Danger::executable},
    {"app", "application/x-executable", Danger::executable},
    {"gadget", "application/x-executable", Danger::executable},
    {"application", "application/x-ms-application", Danger::executable},
    {"appref-ms", "application/x-ms-application", Danger::executable},
    {"msix", "application/msix", Danger::executable},
    {"appx", "application/msix", Danger::executable},
    {"bat", "application/x-bat", Danger::script},
    {"cmd", "application/x-bat", Danger::script},
    {"ps1", "text/x-powershell", Danger::script},
    {"psm1", "text/x-powershell", Danger::script},
    {"vbs", "text/vbscript", Danger::script},
    {"vbe", "text/vbscript", Danger::script},
    {"vb", "text/vbscript", Danger::script},
    {"js", "text/javascript", Danger::script},
    {"jse", "text/javascript", Danger::script},
    {"wsf", "application/x-wsf", Danger::script},
    {"wsh", "application/x-wsf", Danger::script},
    {"wsc", "application/x-wsf", Danger::script},
    {"sct", "text/scriptlet", Danger::script},
    {"hta", "application/hta", Danger::script},
    {"chm", "application/vnd.ms-htmlhelp", Danger::script},
    {"hlp", "application/winhlp", Danger::script},
    {"msc", "application/x-msc", Danger::script},
    {"reg", "text/x-ms-regedit", Danger::script},
    {"inf", "text/x-ms-inf", Danger::script},
    {"ade", "application/msaccess", Danger::script},
    {"adp", "application/msaccess", Danger::script},
    {"one", "application/onenote", Danger::script},
    {"library-ms", "application/x-library-ms", Danger::shortcut},
    {"search-ms", "application/x-search-ms", Danger::shortcut},
    {"settingcontent-ms", "application/x-settingcontent-ms", Danger::shortcut},
    {"lnk", "application/x-ms-shortcut", Danger::shortcut},
    {"url", "application/x-mswinurl", Danger::shortcut},
    {"scf", "application/x-ms-scf", Danger::shortcut},
    {"desktop", "application/x-desktop", Danger::shortcut},
    {"iso", "application/x-iso9660-image", Danger::disk_image},
    {"img", "application/x-raw-disk-image", Danger::disk_image},
    {"vhd", "application/x-virtualbox-vhd", Danger::disk_image},
    {"vhdx", "application/x-virtualbox-vhdx", Danger::disk_image},
    {"udf", "application/x-iso9660-image", Danger::disk_image},
    {"dmg", "application/x-apple-diskimage", Danger::disk_image},
    {"docm", "application/vnd.ms-word.document.macroenabled.12", Danger::macros},
    {"dotm", "application/vnd.ms-word.template.macroenabled.12", Danger::macros},
    {"xlsm", "application/vnd.ms-excel.sheet.macroenabled.12", Danger::macros},
    {"xltm", "application/vnd.ms-excel.template.macroenabled.12", Danger::macros},
    {"xlam", "application/vnd.ms-excel.addin.macroenabled.12", Danger::macros},
    {"pptm", "application/vnd.ms-powerpoint.presentation.macroenabled.12", Danger::macros},
    {"pdf", "application/pdf"},
    {"doc", "application/msword"},
    {"xls", "application/vnd.ms-excel"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"txt", "text/plain"},
    {"csv", "text/csv"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"shtml", "text/html"},
    {"xhtml", "text/html"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"zip", "application/zip"},
    {"rar", "application/vnd.rar"},
    {"7z", "application/x-7z-compressed"},
    {"gz", "application/gzip"},
    {"rtf", "text/rtf"},
    {"eml", "message/rfc822"},
    {"ics", "text/calendar"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
};

// Trailing dots and blanks vanish when Windows makes a file of the name.
std::string plain_name(std::string_view name) {
  while (!name.empty() && (name.back() == '.' || name.back() == ' ' || static_cast<unsigned char>(name.back()) < 32))
    name.remove_suffix(1);
  return to_lower(name);
}

std::string_view extension_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
}

const Extension* find_extension(std::string_view extension) {
  for (const Extension& known : extensions) {
    if (known.name == extension) return &known;
  }
  return nullptr;
}

}  // namespace

FileType type_of_content(std::string_view bytes) {
  if (bytes.empty()) return {"application/x-empty"};
  if (is_dos_executable(bytes)) return {"application/x-dosexec", Danger::executable};
  if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06")) return {"application/zip", Danger::none, true};
  if (bytes.starts_with("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")) return ole_type(bytes);
  for (const Signature& signature : signatures) {
    if (stands_at(bytes, signature.offset, signature.bytes)) return {std::string(signature.type), signature.danger};
  }
  if (bytes.starts_with("#!")) return {"text/x-script", Danger::script};
  if (begins_as_html(bytes)) return {"text/html"};
  if (is_text(bytes)) return {"text/plain"};
  const std::string type = type_by_magic(bytes);
  return {type, danger_of_magic(type)};
}

FileType type_of_name(std::string_view name) {
  const std::string plain = plain_name(name);
  const Extension* known = find_extension(extension_of(plain));
  return known == nullptr ? FileType{} : FileType{std::string(known->type), known->danger, known->name == "zip"};
}

bool has_double_extension(std::string_view name) {
  const std::string plain = plain_name(name);
  const std::string_view last = extension_of(plain);
  const Extension* dangerous = find_extension(last);
  if (dangerous == nullptr || dangerous->danger == Danger::none || dangerous->danger == Danger::macros ||
      last.size() + 1 >= plain.size())
    return false;
  std::string_view rest = std::string_view(plain).substr(0, plain.size() - last.size() - 1);
  while (!rest.empty() && (rest.back() == ' ' || rest.back() == '_')) rest.remove_suffix(1);
  const Extension* before = find_extension(extension_of(rest));
  return before != nullptr && before->danger == Danger::none;
}

bool name_disagrees(const FileType& by_name, const FileType& by_content) {
  if (by_content.danger == Danger::executable || by_content.danger == Danger::shortcut)
    return by_name.type != by_content.type && by_name.danger != by_content.danger;
  // Pictures and documents under each other's names open in the wrong program, which harms nobody; HTML in disguise may.
  return by_content.type == "text/html" && !by_name.type.empty() && by_name.type != "text/html" && by_name.type != "text/plain" &&
         by_name.danger == Danger::none && by_name.type != "image/svg+xml" && by_name.type != "application/vnd.ms-excel" &&
         by_name.type != "application/msword";
}

Status load_file_types() {
  if (magic != nullptr) return done();
  magic_t made = ::magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_ELF);
  if (made == nullptr || ::magic_load(made, nullptr) != 0) {
    if (made != nullptr) ::magic_close(made);
    return Error{ErrorKind::unavailable, "libmagic cannot load its tables"};
  }
  magic = made;
  return done();
}

}  // namespace mailhold::scanning
