// log: one line to standard error for each thing an operator may need to know.
// A line names ids, counts and error kinds; never an address, subject, host of a
// tenant, body or secret. The caller holds to that; tests (T1) look for breaches.
//
//   log_info("queue", "recovered 12 messages from 3 segments");
#pragma once

#include <string_view>

#include "base/result.h"

namespace mailhold {

// Called once at the start of a program; stands in every line.
void set_program_name(std::string_view name);

void log_info(std::string_view room, std::string_view text);
void log_warning(std::string_view room, std::string_view text);
void log_error(std::string_view room, std::string_view text);

std::string_view name_of(ErrorKind kind);  // "not_found"

}  // namespace mailhold
