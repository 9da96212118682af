import{j as a,k as b}from"./chunk-FG6FOQYC.js";import"./chunk-ADDPJW2A.js";import"./chunk-OXZ2OUPH.js";import"./chunk-2VCCSJNV.js";export{a as PersonOfRoom,b as PersonPanel};
