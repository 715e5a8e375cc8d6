#include "source.h"
bool source_url_open(source *s, const char *u){(void)u;return source_fail(s,"unreadable","no");}
bool source_postgres_open(source *s, const char *u){(void)u;return source_fail(s,"unreadable","no");}
