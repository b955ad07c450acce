// A program of a package that reads one document, in a jail and a process of its own: it has one socket, from which it reads the
// document and to which it writes the text. It is run, never linked. When it crashes, hangs or is taken over, that costs one
// document's text.
//
// A copy of a zygote starts it, sees to its end, and touches no byte of what passes. A worker is at the other end.
//
// Design: docs/flows/scanning.md
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "features/scanning/document_text.h"
#include "platform/ipc/channel.h"

namespace mailhold::scanning {

struct DocumentProgram {
  std::string path = "/usr/bin/pdftotext";
  std::vector<std::string> arguments = {"-q", "-enc", "UTF-8", "-nopgbrk", "-", "-"};  // from standard input to standard output
  std::chrono::seconds cpu_max{8};
  std::chrono::seconds time_max{10};  // from its start to its end
  std::function<Status()> confine;    // in its process, before it is started; a failure ends it. Empty: none
};

bool is_installed(const DocumentProgram& program);  // asks the file system: before the jail

// In a copy of the zygote: runs the program until it ends or its time does. Then the last byte on the socket says how it ended,
// unless time is up, and nothing else of this process is on it. Returns at once where no process can be made.
void serve_document(ipc::OwnedFd socket, const DocumentProgram& program);

// In a worker: what the program at the other end of the socket makes of the document. Not whole: it failed, was ended, wrote more
// than bytes_max, or the deadline ended.
DocumentText read_by_program(ipc::OwnedFd socket, std::string_view document, std::size_t bytes_max, const Deadline& deadline);

}  // namespace mailhold::scanning
