# Stands in for OpenWrt's rules.mk: just what cross/openwrt/cwmp-agent/Makefile takes from it. OUT is where things go.
INCLUDE_DIR:=$(TOPDIR)/include
BUILD_DIR:=$(OUT)/build
TAR:=tar
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_DATA:=install -m0644
INSTALL_CONF:=install -m0600
toupper=$(shell echo $(1) | tr '[:lower:]' '[:upper:]')
