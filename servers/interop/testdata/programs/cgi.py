#!/usr/bin/python3 -B
"""The WSGI application as a CGI program, by Python's own library."""

from wsgiref.handlers import CGIHandler

from app import application

CGIHandler().run(application)
